import { harmless } from '../image/reasons.ts';

/** On one line, without what acts on a screen, and whole characters only: receivers refuse halves. */
export function plain(text: string): string {
  return harmless(text.replace(/\s+/g, ' ').trim()).toWellFormed();
}

/** As much of a text as fits once it is escaped; no character and no entity is cut in two. */
export function clipped(text: string, limit: number, escaped: (character: string) => string): string {
  const whole = escaped(text);
  if (whole.length <= limit) return whole;
  let fitting = '';
  for (const character of text) {
    const next = escaped(character);
    if (fitting.length + next.length > limit - 1) break;
    fitting += next;
  }
  return `${fitting}…`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** The three characters that Slack and Google Chat's cards take for markup. */
export function entities(text: string): string {
  return text.replace(/[&<>]/g, character => ENTITIES[character] ?? character);
}

export function asIs(text: string): string {
  return text;
}
