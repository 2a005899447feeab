import { fillTemplate } from '../rollout/template.ts';
import { type Notice, summaryOf } from './notice.ts';
import { clipped, entities } from './texts.ts';

/** https://docs.slack.dev/reference/block-kit/blocks/section-block and …/context-block: longer ones are refused. */
export const SLACK_LIMITS = { text: 3000, field: 2000, blocks: 50, fallback: 4000 } as const;

/** Of one value; what is longer is in the console. */
const VALUE_LENGTH = 600;
const LINE_LENGTH = 200;

/**
 * The body for an incoming webhook of Slack. `verbatim` keeps Slack from making links and mentions of words, and link
 * buttons are avoided: a webhook has nobody to answer the click that Slack reports.
 */
export function slackBody(notices: readonly Notice[], template: string | undefined): object {
  const [notice] = notices;
  const isAlone = notice !== undefined && notices.length === 1;
  const blocks = isAlone ? blocksOf(notice, template) : summaryBlocks(notices, template);
  const headline = isAlone ? `${notice.headline}. ${notice.why}` : summaryOf(notices).headline;
  return { text: safe(headline, VALUE_LENGTH), blocks, unfurl_links: false, unfurl_media: false };
}

function blocksOf(notice: Notice, template: string | undefined): object[] {
  if (template !== undefined) return [section(filledIn(notice, template))];
  const { headline, why, image, where, foot, link } = notice;
  const fields = [field('Image', image), field('Traffic', where)].flat();
  return [
    section(`*${safe(headline, LINE_LENGTH)}*\n${safe(why, 2 * VALUE_LENGTH)}`),
    ...(fields.length > 0 ? [{ type: 'section', fields }] : []),
    { type: 'context', elements: [mrkdwn(`${safe(foot, VALUE_LENGTH)} · ${linkTo(link)}`)] },
  ];
}

function filledIn({ values, headline }: Notice, template: string): string {
  const filled = fillTemplate(template, name => safe(values[name], VALUE_LENGTH));
  return filled.trim() || safe(headline, LINE_LENGTH);
}

function summaryBlocks(notices: readonly Notice[], template: string | undefined): object[] {
  const { headline, shown, rest } = summaryOf(notices);
  return [
    section(`*${safe(headline, LINE_LENGTH)}*`),
    // Whoever is called by a template is called in a storm, too.
    ...shown.map(one => section(template === undefined ? lineOf(one) : filledIn(one, template))),
    ...(rest === undefined ? [] : [section(safe(rest, VALUE_LENGTH))]),
  ];
}

function lineOf({ headline, why, link }: Notice): string {
  return `*${safe(headline, LINE_LENGTH)}* ${safe(why, LINE_LENGTH)} ${linkTo({ ...link, label: 'open' })}`;
}

function field(label: string, value: string | undefined): object[] {
  return value === undefined ? [] : [mrkdwn(`*${label}*\n${safe(value, VALUE_LENGTH)}`)];
}

function section(text: string): object {
  return { type: 'section', text: mrkdwn(text) };
}

function mrkdwn(text: string): object {
  return { type: 'mrkdwn', text: cut(text, SLACK_LIMITS.text), verbatim: true };
}

/** Only a template can come to that length. */
function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  return `${text
    .slice(0, limit - 1)
    .replace(/&[a-z]*$/, '')
    .replace(/<[^>]*$/, '')
    .toWellFormed()}…`;
}

function linkTo({ label, url }: Notice['link']): string {
  return `<${entities(url).replaceAll('|', '%7C')}|${label}>`;
}

const ZERO_WIDTH_SPACE = '\u200b';

/** Slack's entities; and nobody is called by `@here`, should a reader make a mention of it. */
function safe(text: string, length: number): string {
  return clipped(text, length, entities).replace(
    /@(?=channel|here|everyone|group)/gi,
    `@${ZERO_WIDTH_SPACE}`,
  );
}
