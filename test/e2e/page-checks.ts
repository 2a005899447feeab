import type { Page } from 'playwright-core';
import { findFaintTexts, findHeadingFaults, findTooWide } from './in-page.js';

/** Everything that can be computed about how readable a page is: a sentence per fault. */
export async function readingFaults(page: Page): Promise<string[]> {
  const faults = await Promise.all([
    page.evaluate(findFaintTexts),
    page.evaluate(findTooWide),
    page.evaluate(findHeadingFaults),
    findNameless(page),
  ]);
  return faults.flat();
}

interface AccessibilityNode {
  readonly ignored: boolean;
  readonly role?: { readonly value?: string };
  readonly name?: { readonly value?: string };
  readonly properties?: readonly { readonly name: string; readonly value: { readonly value?: unknown } }[];
}

/** What can have the focus, or is a landmark, and has no name to be announced by. */
async function findNameless(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes }: { nodes: AccessibilityNode[] } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  return nodes.filter(needsName).map(({ role }) => `a ${role?.value} without a name`);
}

const NAMED_ROLES = new Set(['region', 'navigation', 'dialog', 'image', 'slider']);
/** Known by what they hold. */
const UNNAMED_ROLES = new Set(['RootWebArea', 'main', 'Details', 'heading']);

function needsName({ ignored, role, name, properties = [] }: AccessibilityNode): boolean {
  const kind = role?.value ?? '';
  if (ignored || name?.value?.trim() || UNNAMED_ROLES.has(kind)) return false;
  const canFocus = properties.some(
    property => property.name === 'focusable' && property.value.value === true,
  );
  return canFocus || NAMED_ROLES.has(kind);
}
