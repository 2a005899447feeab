import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { COUNTS_FILE, readCounts } from './cost/counts.ts';
import { measure } from './cost/measure.ts';
import { Model } from './cost/model.ts';
import { fillIn } from './cost/page.ts';
import { costTables } from './cost/tables.ts';

const PAGE_FILE = new URL('../../docs/cost.md', import.meta.url);

/**
 * What rollouts and idle months cost by list price, and which quota bites when, from what was counted in a local cloud.
 * `--measure` counts anew, which takes a minute; `--write` puts the tables into docs/cost.md.
 *
 * @returns whether the page has these tables
 */
export async function benchCost(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      measure: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  });
  if (values.measure) writeFileSync(COUNTS_FILE, `${JSON.stringify(await measure(), undefined, 2)}\n`);
  const tables = costTables(new Model(readCounts()));
  for (const table of Object.values(tables)) console.log(`${table}\n`);
  const page = readFileSync(PAGE_FILE, 'utf8');
  const filled = fillIn(page, tables);
  if (values.write) writeFileSync(PAGE_FILE, filled);
  if (values.write || filled === page) return true;
  console.error('docs/cost.md has other tables: npm run bench -- cost --write');
  return false;
}
