import { afterEach, beforeEach, expect, it } from 'vitest';
import { provenanceOf } from '../../../local/images/attestation.ts';
import { bundledSignature, bundledStatement } from '../../../local/images/signature.ts';
import { codes, keyPair, SignedWorld, testImage } from './signed-world.ts';

const BUILDER = 'https://ci.example';
const { privateKey, publicKey } = keyPair();
const image = testImage();

let world: SignedWorld;

beforeEach(async () => {
  world = await SignedWorld.open();
  await world.push(image);
});
afterEach(() => world.close());

const RULES = { provenance: { builders: [BUILDER] }, signature: { publicKeys: [publicKey] } };

it('asks the registry for nothing unless the policy does', async () => {
  expect(await world.check(image, {})).toEqual([]);
  expect(world.requests).toEqual([]);
});

it('gives every reason, of provenance and signature alike', async () => {
  expect(codes(await world.check(image, RULES))).toEqual([
    'ProvenanceMissing',
    'ProvenanceMissing',
    'SignatureMissing',
  ]);
});

it('accepts an image that is signed and whose provenance is, and lists its referrers once', async () => {
  const statement = provenanceOf(image.digest, 'all', { builderId: BUILDER });
  await world.attach(
    bundledStatement(image.index, statement, privateKey),
    bundledSignature(image.index, privateKey),
  );

  expect(await world.check(image, RULES)).toEqual([]);
  expect(world.requests.filter(path => path === `referrers/${image.digest}`)).toHaveLength(1);
});

it('takes a single manifest that was pushed alone', async () => {
  const [alone] = image.platforms;
  if (!alone) throw new Error('the test image has platforms');
  const statement = provenanceOf(alone.digest, alone.platform, { builderId: BUILDER });
  await world.attach(bundledStatement(alone, statement, privateKey), bundledSignature(alone, privateKey));
  const platforms = image.subject.platforms.slice(0, 1);
  const pushed = { ...image, subject: { digest: alone.digest, index: undefined, platforms } };

  expect(await world.check(pushed, RULES)).toEqual([]);
});
