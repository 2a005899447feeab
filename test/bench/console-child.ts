/** A fresh process that serves the console as a function does. Tells its port, and its memory whenever it is asked. */
import '../../functions/index.ts';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { listen } from '../../local/http.ts';

export type Told = { readonly port: number } | { readonly rssMb: number; readonly heapMb: number };

const tell = (told: Told) => process.send?.(told);

process.on('message', () => {
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  tell({ rssMb: rss / 1e6, heapMb: heapUsed / 1e6 });
});
tell({ port: (await listen(getTestServer('console'))).port });
