import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { reportRefusals } from './in-page.js';

/** Chromium, as it is or is not installed on this machine. */
export type Found =
  | { readonly file: string; readonly missing: undefined }
  | { readonly file: string | undefined; readonly missing: string };

const FILES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export function findChromium(): Found {
  const file = FILES.find(name => existsSync(name));
  if (file) return { file, missing: undefined };
  return { file, missing: 'there is no Chromium: apt-get install chromium' };
}

/** It must not ask anybody for anything of its own accord. */
const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** With a profile of its own, which goes away with it. */
export function launchChromium(file: string): Promise<Browser> {
  return chromium.launch({ executablePath: file, args: ARGS });
}

export const LOOKS = {
  light: { viewport: { width: 1280, height: 860 }, colorScheme: 'light' },
  phone: { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
  /** As wide as a README shows it. */
  picture: { viewport: { width: 1230, height: 1250 }, colorScheme: 'light', deviceScaleFactor: 0.8 },
} as const satisfies Readonly<Record<string, BrowserContextOptions>>;
export type LookName = keyof typeof LOOKS;

/** A tab, and everything it did that a page of the console must never do. */
export interface Tab {
  readonly page: Page;
  /** Requests to others, refusals by the Content-Security-Policy, errors, dialogs of scripts. */
  readonly offences: string[];
  close(): Promise<void>;
}

export async function openTab(browser: Browser, origin: string, look: LookName): Promise<Tab> {
  const context = await browser.newContext({ ...LOOKS[look], reducedMotion: 'reduce', timezoneId: 'UTC' });
  const offences: string[] = [];
  // The origin with its slash: 127.0.0.1:80 begins 127.0.0.1:8080.
  context.on('request', request => {
    if (!request.url().startsWith(`${origin}/`)) offences.push(`asked ${request.url()}`);
  });
  const page = await context.newPage();
  // For what hangs: tabs share two cores with a cloud.
  page.setDefaultTimeout(60_000);
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') offences.push(message.text());
  });
  page.on('pageerror', error => offences.push(error.stack ?? error.message));
  page.on('dialog', dialog => {
    offences.push(`opened a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.addInitScript(reportRefusals);
  return { page, offences, close: () => context.close() };
}

const SCREENSHOTS = fileURLToPath(new URL('../../.slipway/screenshots/', import.meta.url));

/** Kept for people to look at. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  await mkdir(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: `${SCREENSHOTS}${name}.png`, fullPage: true });
}
