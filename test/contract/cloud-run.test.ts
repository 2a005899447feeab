import { cloudRunWorld, IMAGE, STABLE } from './cloud-run-world.ts';
import { targetContract } from './target-contract.ts';

targetContract('a Cloud Run service', ({ serving }) =>
  cloudRunWorld({ serving: serving ? `${IMAGE}@${STABLE}` : undefined }),
);
