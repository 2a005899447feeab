import { admit } from '../../functions/rollout/admission.ts';
import type { Service } from '../../functions/rollout/policy.ts';
import { newServiceState } from '../../functions/rollout/record.ts';
import { type RolloutEvent, transition } from '../../functions/rollout/state.ts';
import type { World } from '../../functions/rollout/world.ts';

const CANARY_DIGEST = `sha256:${'c'.repeat(64)}`;
const STABLE_DIGEST = `sha256:${'5'.repeat(64)}`;

/** A rollout that was admitted, owned and armed: stable serves everywhere. */
export function begun(spec: Service): World {
  const push = { image: spec.image, digest: CANARY_DIGEST, tag: 'replayed', publishedMs: 0 };
  const verdict = {
    status: 'accepted',
    digest: CANARY_DIGEST,
    mediaType: '',
    platforms: [],
    reasons: [],
  } as const;
  const { rollout, service } = admit(spec, push, verdict, newServiceState(spec.name), undefined, 0);
  const events: RolloutEvent[] = [
    { type: 'begun', workflow: 'rollout', execution: 'replay' },
    ...spec.targets.map(({ name, cloudRun, gke }) => ({
      type: 'armed' as const,
      target: name,
      stable: { revision: `${spec.name}-stable`, digest: STABLE_DIGEST },
      // Cloud Run has no other; of a cluster without a node pool of its own it is not known.
      ...(cloudRun ? { architecture: 'amd64' } : gke?.nodePool ? { architecture: 'arm64' } : {}),
    })),
  ];
  return events.reduce((world, event) => transition(world, event, 0).world, { rollout, service });
}
