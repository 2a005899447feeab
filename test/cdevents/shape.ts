import { z } from 'zod';

/** What CDEvents 0.5.1 requires and allows of the events that Slipway sends, without the published schemas at hand. */

const text = z.string().min(1);
const uriReference = text.refine(
  value => URL.canParse(value, 'https://base.invalid'),
  'expected a URI reference',
);
const timestamp = z.iso.datetime();
const purl = z
  .string()
  .regex(/^pkg:oci\/[a-z0-9._-]+@sha256%3A[0-9a-f]{64}(\?[a-z_]+=[^&#\s]+(&[a-z_]+=[^&#\s]+)*)?$/);
const reference = z.strictObject({ id: text, source: uriReference.optional() });

const serviceContent = z.strictObject({ environment: reference, artifactId: purl });
const incidentContent = z.strictObject({
  description: z.string(),
  environment: reference,
  service: reference.optional(),
  artifactId: purl.optional(),
});

const CONTENTS: Readonly<Record<string, z.ZodType>> = {
  'dev.cdevents.artifact.published.0.3.0': z.strictObject({}),
  'dev.cdevents.service.deployed.0.3.0': serviceContent,
  'dev.cdevents.service.upgraded.0.3.0': serviceContent,
  'dev.cdevents.service.rolledback.0.3.0': serviceContent,
  'dev.cdevents.incident.detected.0.3.0': incidentContent,
  'dev.cdevents.incident.resolved.0.3.0': incidentContent,
};
const OWN = /^dev\.slipway\.(rollout|service|message)\.[a-z]+\.\d\.\d\.\d$/;

export const cdeventSchema = z
  .strictObject({
    context: z.strictObject({
      specversion: z.literal('0.5.1'),
      id: text,
      source: uriReference,
      type: z.union([z.literal(Object.keys(CONTENTS)), z.string().regex(OWN)]),
      timestamp,
    }),
    subject: z.strictObject({ id: text, content: z.looseObject({}) }),
    customData: z.looseObject({}),
  })
  .superRefine(({ context, subject }, { addIssue }) => {
    const content = CONTENTS[context.type]?.safeParse(subject.content);
    for (const issue of content?.error?.issues ?? []) {
      addIssue({ ...issue, path: ['subject', 'content', ...issue.path] });
    }
  });

/** CloudEvents 1.0 in structured form; its attributes say what the CDEvent in it says. */
export const envelopeSchema = z
  .strictObject({
    specversion: z.literal('1.0'),
    id: text,
    source: uriReference,
    type: text,
    subject: text,
    time: timestamp,
    datacontenttype: z.literal('application/json'),
    data: cdeventSchema,
  })
  .superRefine(({ id, source, type, subject, time, data }, { addIssue }) => {
    const { context } = data;
    const pairs = {
      id: [id, context.id],
      source: [source, context.source],
      type: [type, context.type],
      subject: [subject, data.subject.id],
      time: [time, context.timestamp],
    };
    for (const [name, [outside, inside]] of Object.entries(pairs)) {
      if (outside === inside) continue;
      addIssue({
        code: 'custom',
        path: [name],
        message: `expected ${inside}, as in the CDEvent, found ${outside}`,
      });
    }
  });

export type Envelope = z.output<typeof envelopeSchema>;

/** @returns one line for each event that is not as it must be */
export function shapeProblems(envelopes: readonly unknown[]): string[] {
  return envelopes.flatMap(one => {
    const checked = envelopeSchema.safeParse(one);
    return checked.success ? [] : [`${JSON.stringify(one)}: ${z.prettifyError(checked.error)}`];
  });
}
