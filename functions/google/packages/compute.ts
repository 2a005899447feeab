export { BackendServicesClient } from '@google-cloud/compute/build/src/v1/backend_services_client.js';
export { GlobalOperationsClient } from '@google-cloud/compute/build/src/v1/global_operations_client.js';
export { MachineTypesClient } from '@google-cloud/compute/build/src/v1/machine_types_client.js';
export { RegionNetworkEndpointGroupsClient } from '@google-cloud/compute/build/src/v1/region_network_endpoint_groups_client.js';
