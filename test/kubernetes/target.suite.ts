import { targetContract } from '../contract/target-contract.ts';
import { fromEnvironment } from './settings.ts';
import { clusterWorld } from './world.ts';

const settings = fromEnvironment(process.env);
const split = settings.gateway ? 'an HTTPRoute' : 'the number of pods';

targetContract(`a Deployment split by ${split} in a real cluster`, options =>
  clusterWorld(settings, options),
);
