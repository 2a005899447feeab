import type { TableName } from './tables.ts';

/** Puts each table between `<!-- table NAME -->` and the next empty line after the table. Throws if the page has no such place. */
export function fillIn(page: string, tables: Readonly<Record<TableName, string>>): string {
  let filled = page;
  for (const [name, table] of Object.entries(tables)) {
    const place = `<!-- table ${name} -->\n`;
    const start = filled.indexOf(place);
    if (start < 0) throw new Error(`docs/cost.md has no line "${place.trim()}"`);
    const from = start + place.length;
    const old = /^(?:\|.*\n)*/.exec(filled.slice(from))?.[0].length ?? 0;
    filled = `${filled.slice(0, from)}${table}\n${filled.slice(from + old)}`;
  }
  return filled;
}
