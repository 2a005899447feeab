export { RevisionsClient } from '@google-cloud/run/build/src/v2/revisions_client.js';
export { ServicesClient } from '@google-cloud/run/build/src/v2/services_client.js';
