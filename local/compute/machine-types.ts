import { resourceNotFound } from './errors.ts';
import { selfLink } from './resources.ts';

/** Families on ARM processors: Ampere Altra, Google Axion, NVIDIA Grace. */
const ARM_FAMILIES: ReadonlySet<string> = new Set(['t2a', 'c4a', 'n4a', 'a4x']);

const MEGABYTES_PER_CPU: Readonly<Record<string, number>> = {
  standard: 4096,
  highmem: 8192,
  highcpu: 2048,
  medium: 4096,
};

/** `c4a-standard-4`: family, shape, processors; shared-core types and extended ones differ and are few. */
const NAME = /^([a-z]\d[a-z0-9]*)-(standard|highmem|highcpu|medium|micro|small|highgpu)(?:-(\d+)g?)?$/;

export function machineType(project: string, zone: string, name: string): object {
  const path = `projects/${project}/zones/${zone}/machineTypes/${name}`;
  const [, family, shape, cpus] = NAME.exec(name) ?? [];
  if (family === undefined || shape === undefined) throw resourceNotFound(path);
  const guestCpus = Number(cpus ?? 2);
  return {
    kind: 'compute#machineType',
    name,
    zone,
    description: `${guestCpus} vCPU`,
    guestCpus,
    memoryMb: guestCpus * (MEGABYTES_PER_CPU[shape] ?? 1024),
    architecture: ARM_FAMILIES.has(family) ? 'ARM64' : 'X86_64',
    selfLink: selfLink(path),
  };
}
