import { fillTemplate, type TemplateVariable } from '../rollout/template.ts';
import { type Notice, summaryOf } from './notice.ts';
import { asIs, clipped, entities } from './texts.ts';

/** https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages: bytes of a message with its cards. */
export const CHAT_LIMIT_BYTES = 32_000;

const TEXT_LENGTH = 4000;
const VALUE_LENGTH = 600;
const LINE_LENGTH = 200;
/** Where ten share a message. */
const SHORT_LENGTH = 100;

/**
 * The body for an incoming webhook of Google Chat: a line of text, which notifications show, and a card.
 *
 * @param thread messages of one key stand together
 */
export function chatBody(notices: readonly Notice[], template: string | undefined, thread: string): object {
  const [notice] = notices;
  const isAlone = notice !== undefined && notices.length === 1;
  return {
    ...(isAlone ? messageOf(notice, template) : summaryMessage(notices, template)),
    thread: { threadKey: thread },
  };
}

/** With it a message joins its thread, or begins it. */
export function chatUrl(webhook: URL): URL {
  const url = new URL(webhook);
  url.searchParams.set('messageReplyOption', 'REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD');
  return url;
}

function messageOf(notice: Notice, template: string | undefined): object {
  const { headline, why, image, where, foot, link } = notice;
  if (template !== undefined)
    return { text: clipped(filledIn(notice, template, VALUE_LENGTH), TEXT_LENGTH, asIs) };
  const widgets = [
    paragraph(inCard(why, 2 * VALUE_LENGTH)),
    ...labelled('Image', image),
    ...labelled('Traffic', where),
    paragraph(inCard(foot, VALUE_LENGTH)),
    { buttonList: { buttons: [{ text: link.label, onClick: { openLink: { url: link.url } } }] } },
  ];
  return { text: inText(headline, LINE_LENGTH), ...card(widgets) };
}

/** Half a link leads nowhere: that one keeps its length. */
function filledIn({ values, headline }: Notice, template: string, length: number): string {
  const lengthOf = (name: TemplateVariable) => (name === 'url' ? VALUE_LENGTH : length);
  const filled = fillTemplate(template, name => inText(values[name], lengthOf(name)));
  return filled.trim() || inText(headline, LINE_LENGTH);
}

function summaryMessage(notices: readonly Notice[], template: string | undefined): object {
  const { headline, shown, rest = '' } = summaryOf(notices);
  if (template !== undefined) {
    const lines = shown.map(one => filledIn(one, template, SHORT_LENGTH));
    return { text: clipped([headline, ...lines, rest].join('\n').trim(), TEXT_LENGTH, asIs) };
  }
  const lines = shown.map(({ headline: line, why, link }) =>
    paragraph(
      `<b>${inCard(line, LINE_LENGTH)}</b> ${inCard(why, LINE_LENGTH)} <a href="${inAttribute(link.url)}">open</a>`,
    ),
  );
  const last = rest === '' ? [] : [paragraph(inCard(rest, VALUE_LENGTH))];
  return { text: inText(headline, LINE_LENGTH), ...card([...lines, ...last]) };
}

function card(widgets: readonly object[]): object {
  return { cardsV2: [{ cardId: 'slipway', card: { sections: [{ widgets }] } }] };
}

function paragraph(text: string): object {
  return { textParagraph: { text } };
}

function labelled(topLabel: string, value: string | undefined): object[] {
  if (value === undefined) return [];
  return [{ decoratedText: { topLabel, text: inCard(value, VALUE_LENGTH), wrapText: true } }];
}

/** Cards read a few HTML tags. */
function inCard(text: string, length: number): string {
  return clipped(text, length, entities);
}

function inAttribute(url: string): string {
  return entities(url).replaceAll('"', '%22');
}

/** Text has no escapes: `<users/all>` calls everybody, so there are no such brackets in it. */
function inText(text: string, length: number): string {
  return clipped(text.replaceAll('<', '‹').replaceAll('>', '›'), length, asIs);
}
