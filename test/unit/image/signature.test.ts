import { generateKeyPairSync, sign } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { preAuthenticationEncoding } from '../../../functions/image/dsse.ts';
import type { Reason } from '../../../functions/image/verify.ts';
import { provenanceOf } from '../../../local/images/attestation.ts';
import { descriptor, MANIFEST_TYPE, part } from '../../../local/images/parts.ts';
import {
  type Attached,
  bundled,
  bundledMessage,
  bundledSignature,
  bundledStatement,
  classicSignature,
} from '../../../local/images/signature.ts';
import { BUNDLED, CLASSIC, COSIGN_PUB, SIGNED_INDEX } from './cosign-material.ts';
import { codes, IMAGE, keyPair, SignedWorld, subjectOf, type TestImage, testImage } from './signed-world.ts';

const { privateKey, publicKey } = keyPair();
const stranger = keyPair();
const image = testImage();

let world: SignedWorld;

beforeEach(async () => {
  world = await SignedWorld.open();
});
afterEach(() => world.close());

async function check(attached: readonly Attached[], publicKeys = [publicKey]): Promise<readonly Reason[]> {
  await world.push(image);
  await world.attach(...attached);
  return world.check(image, { signature: { publicKeys } });
}

describe('what cosign itself signed', () => {
  const signed: TestImage = {
    digest: SIGNED_INDEX.digest,
    index: SIGNED_INDEX,
    manifests: [],
    platforms: [],
    subject: subjectOf(SIGNED_INDEX, []),
  };

  it.each([
    ['in a bundle', BUNDLED],
    ['under its tag', CLASSIC],
  ])('%s is accepted with its key and refused with another', async (_, attached) => {
    await world.push(signed);
    await world.attach(attached);

    expect(await world.check(signed, { signature: { publicKeys: [COSIGN_PUB] } })).toEqual([]);
    expect(codes(await world.check(signed, { signature: { publicKeys: [publicKey] } }))).toEqual([
      'SignatureInvalid',
    ]);
  });
});

describe('an image that must be signed', () => {
  it.each(['ec', 'rsa', 'ed25519'] as const)(
    'may be signed in a bundle with a key of type %s',
    async type => {
      const pair = keyPair(type);
      expect(await check([bundledSignature(image.index, pair.privateKey)], [pair.publicKey])).toEqual([]);
    },
  );

  it.each(['ec', 'rsa', 'ed25519'] as const)(
    "may be signed under cosign's tag with a key of type %s",
    async type => {
      const pair = keyPair(type);
      const signature = classicSignature(IMAGE, image.digest, pair.privateKey);
      expect(await check([signature], [pair.publicKey])).toEqual([]);
    },
  );

  it('may be signed by any of several keys, beside signatures of others', async () => {
    const attached = [
      bundledSignature(image.index, stranger.privateKey),
      bundledSignature(image.index, privateKey),
    ];
    expect(await check(attached, [keyPair().publicKey, publicKey])).toEqual([]);
  });

  it('may be signed as a file would be: over the bytes of the index', async () => {
    expect(await check([bundledMessage(image.index, privateKey)])).toEqual([]);
  });

  it('is refused without any signature, with the command that makes one', async () => {
    const reasons = await check([]);
    expect(codes(reasons)).toEqual(['SignatureMissing']);
    expect(reasons[0]?.fix).toContain(`cosign sign --key cosign.key ${IMAGE}@${image.digest}`);
  });

  it.each([
    ['a bundle by another key', bundledSignature(image.index, stranger.privateKey)],
    ['a signature over the bytes by another key', bundledMessage(image.index, stranger.privateKey)],
    ['a classic signature by another key', classicSignature(IMAGE, image.digest, stranger.privateKey)],
  ])('is refused with %s', async (_, attached) => {
    const reasons = await check([attached]);
    expect(codes(reasons)).toEqual(['SignatureInvalid']);
    expect(reasons[0]?.message).toContain('one is by another key or was altered');
  });

  it('is refused with a signature that was made for one of its platforms only', async () => {
    const [amd64] = image.platforms;
    if (!amd64) throw new Error('the test image has platforms');
    const { manifest } = bundledSignature(amd64, privateKey);
    const payload = JSON.parse(manifest.layers[0]?.bytes.toString() ?? '');
    const reasons = await check([bundled(image.index, payload)]);

    expect(codes(reasons)).toEqual(['SignatureInvalid']);
    expect(reasons[0]?.message).toContain('one is for another image');
  });

  it("is refused with another image's signature under its tag", async () => {
    const { manifest } = classicSignature(
      IMAGE,
      testImage(() => undefined).platforms[0]?.digest ?? '',
      privateKey,
    );
    const reference = `${image.digest.replace(':', '-')}.sig`;
    const reasons = await check([{ manifest, reference }]);

    expect(codes(reasons)).toEqual(['SignatureInvalid']);
    expect(reasons[0]?.message).toContain('one is for another image');
  });

  it('is refused with a signature over an altered statement', async () => {
    const { manifest } = bundledSignature(image.index, privateKey);
    const bundle = JSON.parse(manifest.layers[0]?.bytes.toString() ?? '');
    const statement = Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString();
    bundle.dsseEnvelope.payload = Buffer.from(`${statement} `).toString('base64');

    expect(codes(await check([bundled(image.index, bundle)]))).toEqual(['SignatureInvalid']);
  });

  it('is refused with a bundle of two signatures, even if one holds', async () => {
    const { manifest } = bundledSignature(image.index, privateKey);
    const bundle = JSON.parse(manifest.layers[0]?.bytes.toString() ?? '');
    bundle.dsseEnvelope.signatures.push({ sig: 'AA==' });
    const reasons = await check([bundled(image.index, bundle)]);

    expect(codes(reasons)).toEqual(['SignatureInvalid']);
    expect(reasons[0]?.message).toContain('has 2 signatures in its envelope');
  });

  it('is refused with a payload that does not say that it signs an image', async () => {
    const { manifest, reference } = classicSignature(IMAGE, image.digest, privateKey);
    const [layer] = manifest.layers;
    const payload = layer?.bytes.toString().replace('cosign container image signature', 'something else');
    const other = part(layer?.mediaType ?? '', JSON.parse(payload ?? ''));
    const signature = sign('sha256', other.bytes, privateKey).toString('base64');
    const annotations = { 'dev.cosignproject.cosign/signature': signature };
    const altered = part(MANIFEST_TYPE, {
      ...JSON.parse(manifest.bytes.toString()),
      layers: [{ ...descriptor(other), annotations }],
    });
    const reasons = await check([{ manifest: { ...manifest, ...altered, layers: [other] }, reference }]);

    expect(codes(reasons)).toEqual(['SignatureInvalid']);
    expect(reasons[0]?.message).toContain('critical.type');
  });

  it('is not signed by an attestation, whoever signed that and whatever is written on it', async () => {
    const attestation = bundledStatement(image.index, provenanceOf(image.digest, 'all'), privateKey);
    const bundle = JSON.parse(attestation.manifest.layers[0]?.bytes.toString() ?? '');
    const unmarked = bundled(image.index, bundle);
    expect(codes(await check([attestation, unmarked]))).toEqual(['SignatureMissing']);
  });

  it.each([
    [
      'no signature in its envelope',
      { payloadType: 'application/vnd.in-toto+json', payload: '', signatures: [] },
    ],
    ['a payload that is not JSON', envelope('application/vnd.in-toto+json', '{')],
    ['a payload that is no statement', envelope('application/vnd.in-toto+json', '{"subject": 1}')],
    ['an envelope that is none', { payload: 7 }],
  ])('is refused with a bundle that has %s', async (_, dsseEnvelope) => {
    expect(codes(await check([bundled(image.index, { dsseEnvelope })]))).toEqual(['SignatureInvalid']);
  });

  it('is not signed by an envelope around something else', async () => {
    const dsseEnvelope = envelope('text/plain', 'hello');
    expect(codes(await check([bundled(image.index, { dsseEnvelope })]))).toEqual(['SignatureMissing']);
  });
});

function envelope(payloadType: string, payload: string): object {
  return {
    payloadType,
    payload: Buffer.from(payload).toString('base64'),
    signatures: [{ sig: 'MEUCIQ==' }],
  };
}

describe('a key of the policy', () => {
  it.each([
    ['two blocks', `${publicKey}${stranger.publicKey}`, 'expected one PEM block'],
    [
      'a private key',
      privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      'expected one PEM block',
    ],
    ['garbage', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'is not a public key'],
    ['a curve of its own', pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })), 'curve secp256k1'],
    ['a short RSA key', pem(generateKeyPairSync('rsa', { modulusLength: 1024 })), '1024 bits is too short'],
    ['a key that does not sign', pem(generateKeyPairSync('x25519')), 'type x25519'],
  ])('that no signature can be checked with is an error: %s', async (_, key, why) => {
    const error = await check([], [publicKey, key]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'InvalidArgument', canRetry: false });
    expect(String(error)).toContain('verify.signature.publicKeys[1]');
    expect(String(error)).toContain(why);
  });
});

function pem(pair: {
  publicKey: { export(options: { type: 'spki'; format: 'pem' }): string | Buffer };
}): string {
  return pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

it('signs what the DSSE protocol says: the lengths are of bytes', () => {
  const encoded = preAuthenticationEncoding({
    payloadType: 'http://example.com/Grüße',
    payload: Buffer.from('hello wörld'),
  });
  expect(encoded.toString()).toBe('DSSEv1 26 http://example.com/Grüße 12 hello wörld');
});
