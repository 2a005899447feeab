/** What the check of one image came to. Plain JSON: it is kept in the rollout's record. */
export interface Verdict {
  readonly status: 'accepted' | 'rejected';
  /** What was checked: an index, or the single manifest that was pushed. */
  readonly digest: string;
  /** Empty when there is nothing of that digest. */
  readonly mediaType: string;
  /** The required platforms that the image has, whether or not something is wrong with them. */
  readonly platforms: readonly VerifiedPlatform[];
  /** Everything that is wrong; empty if and only if the image is accepted. */
  readonly reasons: readonly Reason[];
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
  | 'LayerInvalid';
