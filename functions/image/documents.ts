import { z } from 'zod';

/** Media types that Slipway understands, by what they are. Source: OCI image-spec media-types.md, Docker manifest v2-2. */
export const INDEX_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);
export const MANIFEST_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]);
export const CONFIG_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]);
export const SCHEMA_1_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
]);

const text = z.string().max(8192);
const annotations = z.record(z.string(), z.string()).nullish();

const descriptorSchema = z.looseObject({
  mediaType: text,
  digest: text,
  size: z.int().nonnegative(),
  annotations,
});

const platformSchema = z.looseObject({
  os: text,
  architecture: text,
  variant: text.optional(),
  'os.version': text.optional(),
});

export const indexSchema = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: text.optional(),
  manifests: z.array(
    descriptorSchema.extend({ platform: platformSchema.nullish(), artifactType: text.nullish() }),
  ),
});

export const manifestSchema = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: text.optional(),
  artifactType: text.optional(),
  config: descriptorSchema,
  layers: z.array(descriptorSchema),
});

const words = z.array(text).nullish();

export const configSchema = z.looseObject({
  os: text.optional(),
  architecture: text.optional(),
  variant: text.optional(),
  config: z
    .looseObject({
      Entrypoint: words,
      Cmd: words,
      Env: words,
      WorkingDir: z.string().nullish(),
      User: z.string().nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
      ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
    })
    .nullish(),
  rootfs: z.looseObject({ diff_ids: z.array(text).nullish() }).nullish(),
});

export type Descriptor = z.infer<typeof descriptorSchema>;
export type IndexEntry = z.infer<typeof indexSchema>['manifests'][number];
export type Index = z.infer<typeof indexSchema>;
export type Manifest = z.infer<typeof manifestSchema>;
export type ImageConfig = z.infer<typeof configSchema>;

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  /** `problem` continues a sentence: "is not JSON", "has no valid layers.0.digest: …". */
  | { readonly ok: false; readonly problem: string };

/**
 * Values, and so memory: of a document of 4 MiB, all made of `{},{},…`, every value would become an object and its
 * problems. An index of 10,000 manifests has 80,000.
 */
const MAX_VALUES = 100_000;

export function parseDocument<T>(schema: z.ZodType<T>, bytes: Buffer): Parsed<T> {
  if (countValues(bytes) > MAX_VALUES) return { ok: false, problem: `has more than ${MAX_VALUES} values` };
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return { ok: false, problem: 'is not JSON' };
  }
  const result = schema.safeParse(json);
  if (result.success) return { ok: true, value: result.data };
  const issues = result.error.issues
    .slice(0, 3)
    .map(issue => `${issue.path.join('.') || 'the document'}: ${issue.message}`);
  return { ok: false, problem: `is malformed (${issues.join('; ')})` };
}

/** At least as many as there are; inside texts it counts too much. */
function countValues(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if (byte === COMMA || byte === BRACE || byte === BRACKET) count++;
  return count;
}

const [COMMA, BRACE, BRACKET] = [0x2c, 0x7b, 0x5b];
