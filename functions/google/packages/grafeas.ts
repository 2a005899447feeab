export { GrafeasClient } from '@google-cloud/grafeas/build/src/v1/grafeas_client.js';
