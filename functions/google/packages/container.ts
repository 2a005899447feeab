export { ClusterManagerClient } from '@google-cloud/container/build/src/v1/cluster_manager_client.js';
