import { reason } from './reasons.ts';
import type { Reason } from './verdict.ts';

/** Reasons about where an image comes from and who vouches for it, with what to do about each. */

export function provenanceMissing(platform: string, digest: string): Reason {
  return reason(
    'ProvenanceMissing',
    `Nothing says where ${platform} (${digest}) was built: neither the index nor the registry has SLSA provenance for it.`,
    `Let BuildKit write it into the index: docker buildx build --provenance=mode=max --attest ${BUILDER_ID} --push`,
  );
}

export function provenanceMismatch(platform: string, digest: string, subjects: readonly string[]): Reason {
  const about =
    subjects.length === 0 ? 'about nothing' : `about ${subjects.slice(0, 3).map(clip).join(', ')}`;
  return reason(
    'ProvenanceMismatch',
    `Provenance that is attached to ${platform} is ${about}, not about its manifest ${digest} or the image as pushed.`,
    'Attach provenance to the image it was made for: push the index as docker buildx wrote it, or build again.',
  );
}

/** @param id empty where the provenance names none */
export function builderNotTrusted(platform: string, id: string, trusted: readonly string[]): Reason {
  const names = id === '' ? 'names no builder' : `says that ${clip(id)} built it`;
  return reason(
    'BuilderNotTrusted',
    `The provenance of ${platform} ${names}; verify.provenance.builders trusts ${trusted.slice(0, 5).map(clip).join(', ')}.`,
    id === ''
      ? `Have the build name itself: docker buildx build --attest ${BUILDER_ID}`
      : 'Build it with a builder that is trusted, or add this one to verify.provenance.builders (an entry may end in *).',
  );
}

export function provenanceNotSigned(platform: string): Reason {
  return reason(
    'ProvenanceNotSigned',
    `Provenance of ${platform} that is attached beside the image is not signed by one of verify.signature.publicKeys.`,
    'Sign it with cosign attest --key cosign.key --type slsaprovenance1 --predicate FILE IMAGE@DIGEST, or let BuildKit write it into the index, which the signature of the image covers: docker buildx build --provenance=mode=max',
  );
}

export function signatureMissing(image: string, digest: string): Reason {
  return reason(
    'SignatureMissing',
    `The image as pushed (${digest}) has no cosign signature, neither as a referrer nor under cosign's tag.`,
    signIt(image, digest),
  );
}

/** @param flaws of each signature that was found: "is by another key" */
export function signatureInvalid(image: string, digest: string, flaws: readonly string[]): Reason {
  const distinct = [...new Set(flaws)];
  const more = distinct.length > 3 ? `, and ${distinct.length - 3} more` : '';
  return reason(
    'SignatureInvalid',
    `None of the image's signatures holds for ${digest} and a key of verify.signature.publicKeys: ${distinct.slice(0, 3).join(', ')}${more}.`,
    signIt(image, digest),
  );
}

export function tooManyAttachments(most: number, mostBytes: number): Reason {
  return reason(
    'TooManyAttachments',
    `More signatures and attestations are attached in one place than are read (${most} of one blob each, ${mostBytes / 2 ** 20} MiB), and none of those that are will do.`,
    'Delete old ones from the repository, or push the image to a new one.',
  );
}

const MAX_ALIKE = 3;

/** What is attached may be wrong in as many ways as somebody likes: a few of each kind, and how many more there are. */
export function grouped(reasons: Iterable<Reason>): Reason[] {
  const byCode = Map.groupBy(reasons, ({ code }) => code);
  return [...byCode.values()].flatMap(alike => {
    const more = alike.length - MAX_ALIKE;
    if (more <= 0) return alike;
    return alike
      .slice(0, MAX_ALIKE)
      .map(({ code, message, fix }, index) =>
        index < MAX_ALIKE - 1
          ? { code, message, fix }
          : reason(code, `${message} There are ${more} more of this kind.`, fix),
      );
  });
}

/** Foreign text in a sentence: short, and without what a terminal would act on. */
export function clip(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]+/g, '?');
  return plain.length > 200 ? `${plain.slice(0, 200)}…` : plain;
}

const BUILDER_ID = 'type=provenance,mode=max,builder-id=ID';

function signIt(image: string, digest: string): string {
  return `Sign what was pushed, before it gets the tag that rolls out: cosign sign --key cosign.key ${image}@${digest}`;
}
