import { SlipwayError } from '../errors.ts';
import type { Authorities } from './authorities.ts';
import { boundPlatform, boundReasons } from './bounded.ts';
import { type Document, type Outcome, readDocument, type Source } from './contents.ts';
import { before, registryUntil } from './deadline.ts';
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
import { formatPlatform, type Platform, parsePlatform, rank } from './platforms.ts';
import { indexTooLarge, notAnIndex, platformMissing, twinsDiffer } from './reasons.ts';
import { imageOf, parseReference } from './reference.ts';
import type { Registry } from './registry.ts';
import { checkSupplyChain, orTrouble, type Subject } from './supply-chain.ts';
import { findDifferences, type Twin } from './twins.ts';
import type { Reason, Verdict, VerifiedPlatform } from './verdict.ts';

export type { Difference, Executable, Reason, ReasonCode, Verdict, VerifiedPlatform } from './verdict.ts';

/** Manifests that an index lists without a platform have to be read to learn it. */
const MAX_ENTRIES_WITHOUT_PLATFORM = 8;
/** Reading layers takes memory for each, see {@link inspectBinaries}; two are the usual number of platforms. */
const PLATFORMS_AT_ONCE = 2;
/** For everything together; imagePush has to answer Pub/Sub within ten minutes. */
const TIMEOUT_MS = 5 * 60 * 1000;

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
 * Whether an image can run on every platform it has to run on. The verdict holds everything that is wrong, as far as it
 * is known: an image with a reason against it is rejected at once, also while something of its supply chain cannot be
 * told yet (a scan that is not finished, a service that is away). Only where nothing else is wrong that is waited for.
 *
 * @param image `HOST/REPOSITORY`
 * @param digest what was pushed; a digest that the registry does not have is a rejection
 * @param authorities who is asked about vulnerabilities and attestations, where the rules want that
 * @param signal ends the check
 * @throws SlipwayError for what the image is not guilty of: the registry is away, or the signal ended it (retryable), or
 * the registry refuses us (not)
 */
export async function verifyImage(
  registry: Registry,
  image: string,
  digest: string,
  rules: VerifyRules,
  authorities?: Authorities,
  signal: AbortSignal = AbortSignal.timeout(TIMEOUT_MS),
): Promise<Verdict> {
  checkPinned(image, digest);
  const source: Source = { registry: registryUntil(signal, registry), image };
  const required = rules.platforms.map(requiredPlatform);
  const where = `the image ${image}@${digest}`;
  const read = await before(signal, `read ${where}`, () => readPlatforms(source, digest, where, required));
  if (!read.ok) return verdictOf(digest, '', [{ reasons: [read.reason] }]);
  const { root, selection, found } = read.value;
  const differences = findDifferences(twinsAmong(found));
  const subject = subjectOf(digest, root, found);
  const [inside, supplyChain] = await Promise.all([
    rules.binaries ? before(signal, `read ${where}`, () => inspectAll(source, found, signal)) : found,
    asksForSupplyChain(rules)
      ? orTrouble(
          before(signal, `check the supply chain of ${where}`, () =>
            checkSupplyChain(source, subject, rules, authorities),
          ),
        )
      : [],
  ]);
  const refused = rules.twins === 'strict' ? differences.map(twinsDiffer) : [];
  const findings = [selection, ...inside, { reasons: refused }];
  if (supplyChain instanceof SlipwayError) {
    if (findings.every(({ reasons }) => reasons.length === 0)) throw supplyChain;
  } else {
    findings.push({ reasons: supplyChain });
  }
  const verdict = verdictOf(digest, root.mediaType, findings);
  return differences.length === 0 ? verdict : { ...verdict, differences };
}

/** One required platform and where the image has it. */
interface Candidate {
  /** As it is required. */
  readonly platform: Platform;
  /** As the index lists it. */
  readonly listed: Platform;
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

/** A candidate of which manifest and config were read. */
interface Found extends Findings {
  readonly platform: Platform;
  readonly image?: Image;
}

interface Read {
  readonly root: Document;
  readonly selection: Selection;
  readonly found: readonly Found[];
}

async function readPlatforms(
  source: Source,
  digest: string,
  where: string,
  required: readonly Platform[],
): Promise<Outcome<Read>> {
  const root = await readDocument(source, digest, where);
  if (!root.ok) return root;
  const selection = await select(source, digest, root.value, required);
  const found = await Promise.all(selection.candidates.map(readCandidate));
  return { ok: true, value: { root: root.value, selection, found } };
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
  const isAllThere = chosen.every(({ entry }) => entry);
  return {
    candidates: chosen.flatMap(({ platform, entry }) =>
      entry ? [{ platform, listed: entry.platform ?? platform, read: () => readImage(source, entry) }] : [],
    ),
    // What cannot be read matters only where it may be what is missing.
    reasons: [...(isAllThere ? [] : reasons), ...chosen.flatMap(({ reason }) => reason ?? [])],
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
  const missing = required.filter(platform => !own || rank(own, platform) === undefined);
  const reasons = missing.map(platform => platformMissing(formatPlatform(platform), present, names));
  if (missing.length > 0 && required.length > 1) {
    reasons.push(notAnIndex(present[0] ?? 'an unnamed platform', names));
  }
  const matching = required.filter(platform => !missing.includes(platform));
  const listed = own ?? { os: '', architecture: '' };
  return { candidates: matching.map(platform => ({ platform, listed, read: async () => image })), reasons };
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
  const platforms = new Map<string, Platform>();
  const reasons: Reason[] = [];
  await Promise.all(
    silent.map(async entry => {
      const image = await readImage(source, entry);
      if (!image.ok) reasons.push(image.reason);
      else if (image.value.platform) platforms.set(entry.digest, image.value.platform);
    }),
  );
  const named = entries.map(entry => {
    const platform = entry.platform ?? platforms.get(entry.digest);
    return platform ? { ...entry, platform: { ...platform, variant: platform.variant ?? undefined } } : entry;
  });
  return { entries: named, reasons };
}

async function readCandidate({ platform, listed, read }: Candidate): Promise<Found> {
  const image = await read();
  if (!image.ok) return { platform, reasons: [image.reason] };
  const described = describeImage(image.value, platform);
  return { platform, image: image.value, described, reasons: findFaults(image.value, listed) };
}

function twinsAmong(found: readonly Found[]): Twin[] {
  return found.flatMap(({ platform, image }) =>
    image ? [{ platform: formatPlatform(platform), config: image.config }] : [],
  );
}

function asksForSupplyChain(rules: VerifyRules): boolean {
  const { provenance, signature, vulnerabilities, binaryAuthorization } = rules;
  return [provenance, signature, vulnerabilities, binaryAuthorization].some(rule => rule !== undefined);
}

function subjectOf(digest: string, root: Document, found: readonly Found[]): Subject {
  const platforms = found.flatMap(({ described }) => described ?? []);
  return { digest, index: root.kind === 'index' ? root.index : undefined, platforms };
}

/** Adds what the layers tell. */
async function inspectAll(
  source: Source,
  found: readonly Found[],
  signal: AbortSignal,
): Promise<readonly Findings[]> {
  const inspected: Findings[] = [];
  for (let first = 0; first < found.length; first += PLATFORMS_AT_ONCE) {
    const some = found.slice(first, first + PLATFORMS_AT_ONCE);
    inspected.push(...(await Promise.all(some.map(one => inspect(source, one, signal)))));
  }
  return inspected;
}

async function inspect(source: Source, found: Found, signal: AbortSignal): Promise<Findings> {
  const { platform, image, described, reasons } = found;
  const layersAreReadable = reasons.every(({ code }) => code === 'ConfigMismatch');
  if (!image || !described || !layersAreReadable) return found;
  const inside = await inspectBinaries(source, image, platform, signal);
  return {
    described: { ...described, executables: inside.executables },
    reasons: [...reasons, ...inside.reasons],
  };
}

function verdictOf(digest: string, mediaType: string, findings: readonly Findings[]): Verdict {
  const reasons = findings.flatMap(finding => finding.reasons);
  return {
    status: reasons.length === 0 ? 'accepted' : 'rejected',
    digest,
    mediaType,
    platforms: findings.flatMap(({ described }) => (described ? [boundPlatform(described)] : [])),
    reasons: boundReasons(reasons),
  };
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
