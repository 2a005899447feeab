import type { Request, Response } from '@google-cloud/functions-framework';
import type { Dependencies } from '../dependencies.ts';

/** The page that people watch rollouts on, and what it asks for: console/contract.ts. */
export async function console(deps: Dependencies, request: Request, response: Response): Promise<void> {
  deps.log('INFO', `the console was asked for ${request.path}`);
  response.status(404).json({ message: 'there is no such page' });
}
