export const PROJECT = 'acme';
export const LOCATION = 'us-central1';
export const CLUSTER = 'main';
export const REGISTRY_HOST = 'us-central1-docker.pkg.dev';
/** The service of rollouts.yaml: behind the local load balancer and the local Gateway. */
export const EXAMPLE_SERVICE = 'hello';
/** Who gives the commands on this machine: nobody asks who sits in front of it. */
export const LOCAL_USER = 'you@localhost';
