import { gkeWorld } from './gke-world.ts';
import { targetContract } from './target-contract.ts';

targetContract('a Deployment in a GKE cluster', gkeWorld);
