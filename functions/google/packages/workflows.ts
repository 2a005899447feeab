export { ExecutionsClient } from '@google-cloud/workflows/build/src/v1/executions_client.js';
