/**
 * Serves the functions named on the command line, each on a port of its own and in this order, with the functions
 * framework's own server: what Cloud Functions does with one container each. The environment is that of the functions.
 */
import '../../functions/index.ts';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { listen } from '../http.ts';

for (const name of process.argv.slice(2)) await listen(getTestServer(name));
