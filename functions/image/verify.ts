import { SlipwayError } from '../errors.ts';
import { type Document, readDocument, type Source } from './contents.ts';
import type { IndexEntry } from './documents.ts';
import { inspectBinaries } from './entrypoint.ts';
import { choose, flatten } from './index-entries.ts';
import {
  describeImage,
  findFaults,
  type Image,
  type ManifestDocument,
  readImage,
  withConfig,
} from './inspect.ts';
import { formatPlatform, type Platform, parsePlatform, samePlatform } from './platforms.ts';
import { indexTooLarge, notAnIndex, platformMissing } from './reasons.ts';
import { imageOf, parseReference } from './reference.ts';
import type { Registry } from './registry.ts';
import type { Reason, Verdict, VerifiedPlatform } from './verdict.ts';

export type { Executable, Reason, ReasonCode, Verdict, VerifiedPlatform } from './verdict.ts';

/** Manifests that an index lists without a platform have to be read to learn it. */
const MAX_ENTRIES_WITHOUT_PLATFORM = 16;

/** As in the policy file, docs/policy.md. */
export interface VerifyRules {
  /** `linux/amd64`, `linux/arm64`, …: all must be there, and only these are looked into. */
  readonly platforms: readonly string[];
  /** Whether the files that the container executes are read too. */
  readonly binaries: boolean;
  /** Whether platforms that are not one build are refused, or only told. */
  readonly twins?: 'report' | 'strict' | undefined;
  readonly provenance?: { readonly builders: readonly string[] } | undefined;
  /** PEM */
  readonly signature?: { readonly publicKeys: readonly string[] } | undefined;
  readonly vulnerabilities?: { readonly maxSeverity: Severity } | undefined;
  /** `projects/P/attestors/A` */
  readonly binaryAuthorization?: { readonly attestors: readonly string[] } | undefined;
}

/** Container Analysis's severities, mildest first. */
export type Severity = 'minimal' | 'low' | 'medium' | 'high' | 'critical';

/**
 * Whether an image can run on every platform it has to run on. The verdict holds everything that is wrong.
 *
 * @param image `HOST/REPOSITORY`
 * @param digest what was pushed; a digest that the registry does not have is a rejection
 * @throws SlipwayError for what the image is not guilty of: the registry is away (retryable) or refuses us (not)
 */
export async function verifyImage(
  registry: Registry,
  image: string,
  digest: string,
  rules: VerifyRules,
): Promise<Verdict> {
  checkPinned(image, digest);
  const source: Source = { registry, image };
  const required = rules.platforms.map(requiredPlatform);
  const root = await readDocument(source, digest, `the image ${image}@${digest}`);
  if (!root.ok) return verdictOf(digest, '', [{ reasons: [root.reason] }]);
  const { mediaType } = root.value;
  const selection = await select(source, digest, root.value, required);
  const findings = await Promise.all(
    selection.candidates.map(candidate => examine(source, candidate, rules.binaries)),
  );
  return verdictOf(digest, mediaType, [selection, ...findings]);
}

/** One required platform and where the image has it. */
interface Candidate {
  readonly platform: Platform;
  readonly read: () => ReturnType<typeof readImage>;
}

interface Selection {
  readonly candidates: readonly Candidate[];
  readonly reasons: readonly Reason[];
}

interface Findings {
  readonly described?: VerifiedPlatform;
  readonly reasons: readonly Reason[];
}

async function select(
  source: Source,
  digest: string,
  root: Document,
  required: readonly Platform[],
): Promise<Selection> {
  if (root.kind === 'manifest') return selectSingle(source, digest, root, required);
  const flat = await flatten(source, root.index);
  // An index that could not be read whole may well have what seems to be missing.
  if (flat.reasons.length > 0) return { candidates: [], reasons: flat.reasons };
  const { entries, reasons } = await withPlatforms(source, flat.entries);
  const names = required.map(formatPlatform);
  const chosen = required.map(platform => ({ platform, ...choose(entries, platform, names) }));
  return {
    candidates: chosen.flatMap(({ platform, entry }) =>
      entry ? [{ platform, read: () => readImage(source, entry) }] : [],
    ),
    reasons: [...reasons, ...chosen.flatMap(({ reason }) => reason ?? [])],
  };
}

/** A manifest that stands alone is for the platform that its config names. */
async function selectSingle(
  source: Source,
  digest: string,
  document: ManifestDocument,
  required: readonly Platform[],
): Promise<Selection> {
  const image = await withConfig(source, digest, document);
  if (!image.ok) return { candidates: [], reasons: [image.reason] };
  const names = required.map(formatPlatform);
  const { platform: own } = image.value;
  const present = own ? [formatPlatform(own)] : [];
  const missing = required.filter(platform => !own || !samePlatform(platform, own));
  const reasons = missing.map(platform => platformMissing(formatPlatform(platform), present, names));
  if (missing.length > 0 && required.length > 1) {
    reasons.push(notAnIndex(present[0] ?? 'an unnamed platform', names));
  }
  const matching = required.filter(platform => !missing.includes(platform));
  return { candidates: matching.map(platform => ({ platform, read: async () => image })), reasons };
}

/** Runtimes read the config of an entry without a platform; so must we. */
async function withPlatforms(
  source: Source,
  entries: readonly IndexEntry[],
): Promise<{ entries: readonly IndexEntry[]; reasons: readonly Reason[] }> {
  const silent = entries.filter(entry => !entry.platform && !entry.artifactType);
  if (silent.length === 0) return { entries, reasons: [] };
  if (silent.length > MAX_ENTRIES_WITHOUT_PLATFORM) {
    const why = `lists ${silent.length} manifests without a platform, at most ${MAX_ENTRIES_WITHOUT_PLATFORM} are read`;
    return { entries, reasons: [indexTooLarge(why)] };
  }
  const images = new Map<string, Image>();
  await Promise.all(
    silent.map(async entry => {
      const image = await readImage(source, entry);
      if (image.ok) images.set(entry.digest, image.value);
    }),
  );
  const named = entries.map(entry => {
    const platform = entry.platform ?? images.get(entry.digest)?.platform;
    return platform ? { ...entry, platform: { ...platform, variant: platform.variant ?? undefined } } : entry;
  });
  return { entries: named, reasons: [] };
}

async function examine(source: Source, candidate: Candidate, binaries: boolean): Promise<Findings> {
  const image = await candidate.read();
  if (!image.ok) return { reasons: [image.reason] };
  const described = describeImage(image.value, candidate.platform);
  const faults = findFaults(image.value, candidate.platform);
  const layersAreReadable = faults.every(fault => fault.code === 'ConfigMismatch');
  if (!binaries || !layersAreReadable) return { described, reasons: faults };
  const inside = await inspectBinaries(source, image.value, candidate.platform);
  return {
    described: { ...described, executables: inside.executables },
    reasons: [...faults, ...inside.reasons],
  };
}

function verdictOf(digest: string, mediaType: string, findings: readonly Findings[]): Verdict {
  const reasons = findings.flatMap(finding => finding.reasons);
  const platforms = findings.flatMap(finding => finding.described ?? []);
  return { status: reasons.length === 0 ? 'accepted' : 'rejected', digest, mediaType, platforms, reasons };
}

function checkPinned(image: string, digest: string): void {
  const reference = parseReference(`${image}@${digest}`);
  if (reference.tag === undefined && imageOf(reference) === image) return;
  throw new SlipwayError(`"${image}" is not HOST/REPOSITORY without a tag.`, {
    code: 'InvalidArgument',
    operation: 'verify image',
  });
}

function requiredPlatform(text: string): Platform {
  const platform = parsePlatform(text);
  if (platform) return platform;
  throw new SlipwayError(
    `"${text}" is not a platform; expected OS/ARCHITECTURE[/VARIANT], such as linux/arm64.`,
    {
      code: 'InvalidArgument',
      operation: 'verify image',
    },
  );
}
