import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

/** What a browser would refuse, or what would be unsafe, found without one. */

const FOLDER = new URL('../../../functions/console/page/', import.meta.url);
const FILES = readdirSync(FOLDER);
const MODULES = FILES.filter(name => name.endsWith('.js'));

function read(name: string): string {
  return readFileSync(new URL(name, FOLDER), 'utf8');
}

describe('the sources of the page', () => {
  test.each(MODULES)('%s makes no markup, code or style out of text', name => {
    const source = read(name);
    const forbidden =
      /\.(innerHTML|outerHTML|srcdoc|cssText)\b|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|createContextualFragment|setAttribute\('(style|on)|\bstyle: '|javascript:/;
    expect(source).not.toMatch(forbidden);
  });

  test.each(MODULES)('%s imports nothing but modules of the page', name => {
    const imported = [...read(name).matchAll(/^(?:import|export) .*? from '([^']+)';$/gms)].map(
      ([, from = '']) => from,
    );
    for (const from of imported) expect(MODULES).toContain(from.replace('./', ''));
  });

  test('the document has neither scripts nor styles in it, and names only files of its folder', () => {
    const document = read('index.html');
    expect(document).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?:/);
    const named = [...document.matchAll(/(?:src|href)="\/([^"]+)"/g)].map(([, file = '']) => file);
    expect(named.toSorted()).toEqual(['app.js', 'icon.svg', 'style.css']);
    for (const file of named) expect(FILES).toContain(file);
  });

  test('nothing is asked of another origin', () => {
    for (const name of ['style.css', ...MODULES]) {
      const foreign = [...read(name).matchAll(/https?:\/\/[\w.]+/g)].map(([url]) => url);
      // A name of the SVG vocabulary, which nobody fetches.
      expect(foreign.filter(url => url !== 'http://www.w3.org')).toEqual([]);
    }
    expect(read('style.css')).not.toMatch(/@import|url\(/);
  });
});

/** A custom property's value in the light or the dark theme. */
function palette(theme: 'light' | 'dark'): (name: string) => string {
  const [light = '', dark = ''] = read('style.css').split('@media (prefers-color-scheme: dark)');
  const colours = new Map(
    [...(theme === 'light' ? light : dark).matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(
      ([, name = '', value = '']) => [name, value],
    ),
  );
  return name => {
    const value = colours.get(name);
    if (value === undefined) throw new Error(`the ${theme} theme has no colour --${name}`);
    return value;
  };
}

/** https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map(at => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

const TONES = ['wait', 'go', 'hold', 'back', 'good', 'bad', 'gone'];

describe.each(['light', 'dark'] as const)('in the %s theme', theme => {
  const colour = palette(theme);

  test('text stands out from what it stands on by 4.5 to 1', () => {
    for (const ground of ['bg', 'card', 'sunk']) {
      for (const ink of ['ink', 'soft', 'link', 'canary-ink', 'stable-ink', 'limit', 'bad', 'back']) {
        expect([ink, ground, contrast(colour(ink), colour(ground)) >= 4.5]).toEqual([ink, ground, true]);
      }
    }
    for (const tone of TONES)
      expect(contrast(colour(tone), colour(`${tone}-bg`))).toBeGreaterThanOrEqual(4.5);
  });

  test('lines of charts, borders of fields and the mark of focus stand out by 3 to 1', () => {
    for (const line of ['canary', 'stable', 'limit', 'field', 'focus']) {
      expect([line, contrast(colour(line), colour('card')) >= 3]).toEqual([line, true]);
    }
  });
});
