/** What the check of one image came to. Plain JSON: it is kept in the rollout's record. */
export interface Verdict {
  readonly status: 'accepted' | 'rejected';
  /** What was checked: an index, or the single manifest that was pushed. */
  readonly digest: string;
  /** Empty when there is nothing of that digest. */
  readonly mediaType: string;
  /** The required platforms that the image has, whether or not something is wrong with them. */
  readonly platforms: readonly VerifiedPlatform[];
  /** What is wrong, the first fifty of it and how much more; empty if and only if the image is accepted. */
  readonly reasons: readonly Reason[];
  /** Where the platforms are not one build, refused or not; left out when they are. */
  readonly differences?: readonly Difference[];
}

/** Something that should be the same on all platforms of an index. */
export interface Difference {
  /** `the user`, `the entrypoint` */
  readonly what: string;
  /** Platform → what it is there, in words. */
  readonly values: Readonly<Record<string, string>>;
}

export interface VerifiedPlatform {
  /** `linux/arm64` */
  readonly platform: string;
  /** Of this platform's manifest. */
  readonly digest: string;
  /** Manifest, config and layers, as they are transferred. */
  readonly sizeBytes: number;
  readonly configDigest: string;
  /** Entrypoint and Cmd, joined as the container runtime joins them. */
  readonly entrypoint: readonly string[];
  /** Label `org.opencontainers.image.revision`, where the image has it. */
  readonly revision?: string;
  /** What starting the container executes, in order: a script, its interpreter, the dynamic loader. With `binaries`. */
  readonly executables?: readonly Executable[];
}

export interface Executable {
  /** Absolute path in the image, links followed. */
  readonly file: string;
  /** Digest of the layer that holds it. */
  readonly layer: string;
  /** `ELF 64-bit AArch64`, `script for /bin/sh` */
  readonly is: string;
}

export interface Reason {
  readonly code: ReasonCode;
  /** A sentence for people: what is wrong and where. */
  readonly message: string;
  /** What to change: a command or a line of the Dockerfile. */
  readonly fix: string;
}

/** Stable: tools may rely on these. */
export type ReasonCode =
  | 'PlatformMissing'
  | 'DuplicatePlatform'
  | 'NotAnIndex'
  | 'ConfigMismatch'
  | 'LayersMismatch'
  | 'UnsupportedMediaType'
  | 'MediaTypeMismatch'
  /** The registry has no such manifest or blob. */
  | 'ContentMissing'
  /** Bytes that do not have the digest or size they are listed with, or are too large to be what they should be. */
  | 'ContentInvalid'
  /** JSON that is not JSON or lacks what the specification requires. */
  | 'DocumentInvalid'
  | 'IndexTooLarge'
  /** A digest that bytes cannot be checked against. */
  | 'DigestUnsupported'
  /** The platforms of the index are not one build; with `twins: strict`. */
  | 'TwinsDiffer'
  /** An executable is for another machine than the platform it is listed for. */
  | 'BinaryMismatch'
  /** The image names no command. */
  | 'EntrypointMissing'
  | 'EntrypointNotFound'
  | 'EntrypointNotExecutable'
  /** An executable file that is neither ELF nor a script. */
  | 'EntrypointUnknownFormat'
  | 'LoaderMissing'
  /** A layer that cannot be unpacked. */
  | 'LayerInvalid'
  /** Nothing says where a platform was built. */
  | 'ProvenanceMissing'
  /** Provenance that is about something else. */
  | 'ProvenanceMismatch'
  /** Provenance that none of the policy's keys signed, nor covers by a signature of the index. */
  | 'ProvenanceNotSigned'
  | 'BuilderNotTrusted'
  | 'SignatureMissing'
  /** There are signatures, and none holds for this digest and the policy's keys. */
  | 'SignatureInvalid'
  /** More is attached to the image than is looked at. */
  | 'TooManyAttachments'
  /** Worse than the policy allows, or not rated. */
  | 'VulnerabilityFound'
  /** What is in it is not known and will not be: the scan failed, or such images are not scanned. */
  | 'ScanFailed'
  /** A Binary Authorization attestor has not attested it. */
  | 'AttestationMissing'
  /** There is an attestation that its attestor does not verify. */
  | 'AttestationInvalid'
  /** The last one, where there are more than are told. */
  | 'MoreReasons';
