import type { Difference, Reason, ReasonCode } from './verdict.ts';

/** Reasons that manifests, configs and layers give by themselves, with what to do about each. */

export function platformMissing(
  required: string,
  present: readonly string[],
  all: readonly string[],
): Reason {
  const has = present.length === 0 ? 'no platform at all' : `only ${present.join(', ')}`;
  return reason('PlatformMissing', `The image has no ${required}; it has ${has}.`, buildAll(all));
}

export function notAnIndex(platform: string, all: readonly string[]): Reason {
  return reason(
    'NotAnIndex',
    `The pushed digest is a single manifest for ${platform}, not an index of several platforms.`,
    buildAll(all),
  );
}

export function duplicatePlatform(platform: string, digests: readonly string[]): Reason {
  return reason(
    'DuplicatePlatform',
    `The index lists ${platform} ${digests.length} times (${digests.join(', ')}); which one runs is left to chance.`,
    'Create the index with one manifest per platform: docker buildx imagetools create --tag IMAGE:TAG IMAGE@DIGEST IMAGE@DIGEST',
  );
}

export function configMismatch(listed: string, says: string, digest: string): Reason {
  return reason(
    'ConfigMismatch',
    `The index lists ${digest} as ${listed}, but its config says ${says}.`,
    `Build it for the platform it is listed as: docker buildx build --platform ${listed}; in the Dockerfile, leave --platform=$BUILDPLATFORM out of the FROM line of the last stage.`,
  );
}

export function layersMismatch(platform: string, layers: number, diffIds: number): Reason {
  return reason(
    'LayersMismatch',
    `The manifest of ${platform} has ${layers} layers, but its config lists ${diffIds} (rootfs.diff_ids): no runtime can unpack it.`,
    rebuild(platform),
  );
}

export function tooManyLayers(platform: string, layers: number, most: number): Reason {
  return reason(
    'DocumentInvalid',
    `The manifest of ${platform} has ${layers} layers; no runtime mounts more than ${most}.`,
    'Join RUN and COPY lines of the Dockerfile, or copy the result into a fresh last stage.',
  );
}

export function unsupportedMediaType(where: string, mediaType: string): Reason {
  const named = mediaType === '' ? 'no media type' : `the media type ${mediaType}`;
  const text = `${capital(where)} has ${named}, which is not part of a container image that Cloud Run or GKE can run.`;
  return reason(
    'UnsupportedMediaType',
    text,
    'Push a container image: docker buildx build --output type=image,oci-mediatypes=true,push=true',
  );
}

export function schema1(where: string): Reason {
  return reason(
    'UnsupportedMediaType',
    `${capital(where)} is a Docker schema 1 manifest, which registries and runtimes no longer accept and which names no platform.`,
    'Build and push the image again with a current docker or buildx, or convert it: skopeo copy --format oci',
  );
}

export function mediaTypeMismatch(where: string, sentAs: string, says: string): Reason {
  return reason(
    'MediaTypeMismatch',
    `${capital(where)} is served as ${sentAs} but calls itself ${says}: clients disagree about what it is.`,
    'Push it with the Content-Type that its mediaType field names.',
  );
}

export function contentMissing(where: string): Reason {
  return reason(
    'ContentMissing',
    `${capital(where)} is not in the registry.`,
    'Push the whole image: docker buildx build --push, or to copy one: skopeo copy --all',
  );
}

export function contentInvalid(where: string, why: string): Reason {
  return reason(
    'ContentInvalid',
    `${capital(where)} is not what its digest stands for: ${why}`,
    'Push the image again.',
  );
}

export function digestUnsupported(where: string, digest: string): Reason {
  return reason(
    'DigestUnsupported',
    `${capital(where)} is listed by ${clip(digest)}, which is no digest of an algorithm that can be checked here (sha256, sha384, sha512).`,
    'Push the image with sha256 digests, as docker buildx and all current tools make them.',
  );
}

export function layerInvalid(digest: string, problem: string): Reason {
  return reason(
    'LayerInvalid',
    `The layer ${digest} cannot be unpacked: ${problem}.`,
    'Build and push the image again.',
  );
}

export function twinsDiffer({ what, values }: Difference): Reason {
  const platforms = Object.keys(values);
  const each = platforms.map(platform => `${values[platform]} on ${platform}`).join(', ');
  return reason(
    'TwinsDiffer',
    `The platforms of the index are not one build: ${what} is ${each}.`,
    `Build all platforms from one commit in one go: docker buildx build --platform ${platforms.join(',')} --push; in the Dockerfile, let nothing but the compiled files depend on TARGETARCH.`,
  );
}

export function documentInvalid(where: string, problem: string): Reason {
  return reason(
    'DocumentInvalid',
    `${capital(where)} ${problem}.`,
    'Push the image again with docker buildx or another OCI client.',
  );
}

export function indexTooLarge(why: string): Reason {
  return reason(
    'IndexTooLarge',
    `The index ${why}.`,
    'Push an index that lists the manifests of one build, directly.',
  );
}

/** Names inside an image are anybody's: what they could do to a terminal or a log is taken out of the sentences. */
export function reason(code: ReasonCode, message: string, fix: string): Reason {
  return { code, message: harmless(message), fix: harmless(fix) };
}

const MAX_SENTENCE_LENGTH = 2000;

/** Without control characters and marks that turn the writing direction, and of bounded length. */
export function harmless(sentence: string): string {
  const text = sentence.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    '\ufffd',
  );
  return text.length > MAX_SENTENCE_LENGTH ? `${text.slice(0, MAX_SENTENCE_LENGTH)}…` : text;
}

function clip(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

export function rebuild(platform: string): string {
  return `Build this platform again: docker buildx build --no-cache --platform ${platform}`;
}

function buildAll(platforms: readonly string[]): string {
  return `Build every platform in one go: docker buildx build --platform ${platforms.join(',')} --push`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
