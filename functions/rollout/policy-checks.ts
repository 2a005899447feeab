import type { Service, TargetSpec } from './policy.ts';
import type { Issue } from './policy-problems.ts';

/** What the fields of one service say about each other. */
export function contradictions(service: Service): Issue[] {
  return [...namesInWaves(service), ...weightsRise(service), ...placesDiffer(service), ...tagsFit(service)];
}

function namesInWaves({ targets, strategy }: Service): Issue[] {
  const found: Issue[] = [];
  const names = targets.map(spec => spec.name);
  for (const index of repeats(names))
    found.push([['targets', index, 'name'], 'expected a name that no other target has']);
  const placed: string[] = [];
  strategy.waves.forEach((wave, waveIndex) => {
    wave.forEach((member, index) => {
      const path = ['strategy', 'waves', waveIndex, index];
      if (!names.includes(member))
        found.push([path, `no target is called ${member}; targets are ${names.join(', ')}`]);
      if (placed.includes(member)) found.push([path, `${member} is in a wave already; a target moves once`]);
      placed.push(member);
    });
  });
  const missing = names.filter(member => !placed.includes(member));
  if (missing.length > 0)
    found.push([['strategy', 'waves'], `no wave has ${missing.join(', ')}; every target needs one`]);
  return found;
}

function weightsRise({ strategy }: Service): Issue[] {
  const found: Issue[] = [];
  let highest = 0;
  strategy.steps.forEach((one, index) => {
    if (!('setWeight' in one)) return;
    if (one.setWeight <= highest) {
      found.push([
        ['strategy', 'steps', index, 'setWeight'],
        `expected more than the ${highest} of the step before`,
      ]);
    }
    highest = Math.max(highest, one.setWeight);
  });
  return found;
}

function placesDiffer({ targets }: Service): Issue[] {
  return repeats(targets.map(placeOf)).map(index => [
    ['targets', index],
    'another target is this place already',
  ]);
}

function placeOf(spec: TargetSpec): string {
  if (spec.cloudRun) return `${spec.cloudRun.project}/${spec.cloudRun.region}/${spec.cloudRun.service}`;
  return `${spec.gke?.cluster}/${spec.gke?.namespace}/${spec.gke?.deployment}`;
}

/** Cloud Run gives a tag and its service's name 46 characters together; `previous` is the longest tag used here. */
function tagsFit({ targets }: Service): Issue[] {
  const longest = 46 - 'previous'.length;
  return targets.flatMap((spec, index): Issue[] =>
    spec.cloudRun && spec.cloudRun.service.length > longest
      ? [
          [
            ['targets', index, 'cloudRun', 'service'],
            `expected at most ${longest} characters, to leave room for traffic tags`,
          ],
        ]
      : [],
  );
}

/** Indexes of the values that stand earlier in the list already. */
export function repeats(values: readonly string[]): number[] {
  return values.flatMap((value, index) => (values.indexOf(value) < index ? [index] : []));
}
