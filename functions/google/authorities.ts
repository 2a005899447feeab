import type { GrafeasClient } from '@google-cloud/grafeas';
import type { Attestation, Authorities } from '../image/authorities.ts';
import { type BinaryAuthorizationAccess, noteOf, validateAttestation } from './binary-authorization.ts';
import { listAttestations, listScans, listVulnerabilities } from './container-analysis.ts';

/** Container Analysis and Binary Authorization, for the check of images. */
export function googleAuthorities(
  containerAnalysis: () => Promise<GrafeasClient>,
  binaryAuthorization: BinaryAuthorizationAccess,
): Authorities {
  return {
    scans: async (image, digest) => listScans(await containerAnalysis(), image, digest),
    vulnerabilities: async (image, digest) => listVulnerabilities(await containerAnalysis(), image, digest),
    async attestation(attestor, image, digest) {
      const note = await noteOf(binaryAuthorization, attestor);
      const stored = await listAttestations(await containerAnalysis(), note, image, digest);
      let last: Attestation = { status: 'missing' };
      for (const one of stored) {
        const problem = await validateAttestation(binaryAuthorization, attestor, one);
        if (problem === undefined) return { status: 'verified' };
        last = { status: 'invalid', problem };
      }
      return last;
    },
  };
}
