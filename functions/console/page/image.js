/**
 * What the check of the image found, platform by platform.
 *
 * @import { ShownRollout } from '../contract.ts'
 * @import { Difference, Reason, VerifiedPlatform } from '../../image/verdict.ts'
 * @import { Child } from './vdom.js'
 */
import { bytes, plural, shortDigest } from './format.js';
import { drawnMark } from './marks.js';
import { chip } from './parts.js';
import { name, told, visible } from './text.js';
import { h } from './vdom.js';

/**
 * @param {ShownRollout} rollout
 * @returns {Child}
 */
export function imageReport({ verification, image, digest, spec }) {
  const reference = h('p', { class: 'reference' }, h('code', {}, name(`${image}@${digest}`)));
  if (!verification) return [reference, h('p', { class: 'empty' }, 'The image has not been checked yet.')];
  const isGood = verification.status === 'accepted';
  return [
    h(
      'p',
      { class: 'verdict' },
      chip(
        isGood ? { mark: '✔', tone: 'good', word: 'Accepted' } : { mark: '✖', tone: 'bad', word: 'Refused' },
      ),
      ' ',
      isGood
        ? `It can run on ${spec.verify.platforms.map(visible).join(' and ')}.`
        : `${plural(verification.reasons.length, 'reason')} against it.`,
    ),
    reference,
    verification.reasons.length > 0
      ? h('ul', { class: 'reasons' }, verification.reasons.map(reason))
      : undefined,
    h('div', { class: 'platforms' }, verification.platforms.map(platform)),
    verification.platforms.length === 0
      ? h('p', { class: 'empty' }, 'It has none of the platforms that the policy asks for.')
      : undefined,
    (verification.differences ?? []).map(difference),
  ];
}

/** @param {Reason} reason */
function reason({ code, message, fix }) {
  return h(
    'li',
    {},
    h('b', {}, name(code)),
    h('div', {}, told(message)),
    fix ? h('div', { class: 'fix' }, h('span', { class: 'aside' }, 'What to do: '), told(fix)) : undefined,
  );
}

/** @param {VerifiedPlatform} platform */
function platform({ platform, digest, sizeBytes, entrypoint, revision, executables }) {
  return h(
    'section',
    { key: platform, class: 'platform' },
    h('h3', {}, name(platform), ' ', h('span', { class: 'aside' }, bytes(sizeBytes))),
    h(
      'dl',
      {},
      fact('Manifest', h('code', { title: visible(digest) }, name(shortDigest(digest)))),
      fact('Starts', h('code', {}, told(entrypoint.join(' '), 160))),
      revision ? fact('Revision', h('code', {}, told(revision, 80))) : undefined,
      fact(
        'Executes',
        executables
          ? h(
              'ul',
              {},
              executables.map(({ file, is }) =>
                h('li', {}, h('code', {}, told(file, 120)), ' ', h('span', { class: 'aside' }, name(is))),
              ),
            )
          : h('span', { class: 'aside' }, 'not looked into'),
      ),
    ),
  );
}

/**
 * @param {string} term
 * @param {Child} value
 * @returns {Child}
 */
export function fact(term, value) {
  return [h('dt', {}, term), h('dd', {}, value)];
}

/** @param {Difference} difference */
function difference({ what, values }) {
  return h(
    'div',
    { class: 'difference' },
    h('h3', {}, drawnMark('⚠'), ' The platforms differ: ', told(what, 80)),
    h(
      'dl',
      {},
      Object.entries(values).map(([platform, value]) =>
        fact(visible(platform), h('code', {}, told(value, 200))),
      ),
    ),
  );
}
