/**
 * Serves the functions named on the command line as NAME:PORT (0 for any free port), in this order, with the functions
 * framework's own server: what Cloud Functions does with one container each. The environment is that of the functions.
 */
import '../../functions/index.ts';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { listen } from '../http.ts';

for (const place of process.argv.slice(2)) {
  const [name = '', port] = place.split(':');
  await listen(getTestServer(name), Number(port));
}
