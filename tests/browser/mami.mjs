// Mami's page in Chromium: node mami.mjs '{"url", "chromium", "key", "picture", "out"}'
//
// Opens each page, asks the chat, uploads a picture, at two sizes and in both colours; writes pictures to
// `out` and what it saw to stdout, as JSON. `key` is the hash of the only certificate that is believed.
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const given = JSON.parse(process.argv[2]);
// The modules are beside the copy of package.json that they were installed with.
const require = createRequire(join(given.modules, 'package.json'));
const { chromium } = require('playwright-core');
// Evaluated and not added to the page, whose policy lets no script in.
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const SIZES = { wide: { width: 1280, height: 800 }, narrow: { width: 400, height: 800 } };
const PAGES = { chat: '/', images: '/images', status: '/status' };
const seen = { violations: [], overflow: [], errors: [], answers: [], results: [], focus: [], pictures: [] };

async function judge(page, name) {
  await page.waitForTimeout(300);
  const file = join(given.out, `${name}.png`);
  await page.screenshot({ path: file });
  seen.pictures.push(file);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) seen.overflow.push(`${name}: ${wide} pixels`);
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  for (const item of found.violations) {
    const where = item.nodes.map((node) => node.target.join(' ')).join(', ');
    seen.violations.push({ page: name, id: item.id, impact: item.impact, where });
  }
}

async function chat(page, name) {
  const field = page.getByLabel('Message', { exact: true });
  await field.fill('Who answers me?');
  await field.press('Enter');
  const answer = page.locator('ol li').filter({ hasText: 'Mami:' }).last();
  await answer.waitFor({ timeout: 30000 });
  await answer.getByText('Another model answered').click();
  seen.answers.push((await answer.innerText()).replace(/\s+/g, ' '));
  await judge(page, name);
}

async function images(page, name) {
  await page.getByLabel('Palette', { exact: false }).check();
  await page.locator('input[type=file]').setInputFiles(given.picture);
  const result = page.locator('section li').first().locator('img');
  await result.waitFor({ timeout: 60000 });
  await result.evaluate((image) => image.complete || new Promise((done) => (image.onload = done)));
  seen.results.push(await result.evaluate((image) => [image.naturalWidth, image.naturalHeight]));
  await judge(page, name);
}

/** What the key Tab reaches, in its order. */
async function focus(page) {
  const names = [];
  for (let n = 0; n < 12; n += 1) {
    await page.keyboard.press('Tab');
    names.push(
      await page.evaluate(() => {
        const here = document.activeElement;
        return here?.getAttribute('aria-label') || here?.textContent?.trim() || here?.id || here?.tagName || '';
      }),
    );
  }
  return names;
}

const home = mkdtempSync(join(tmpdir(), 'browser-'));
const context = await chromium.launchPersistentContext(home, {
  executablePath: given.chromium,
  args: ['--no-sandbox', `--ignore-certificate-errors-spki-list=${given.key}`],
});
try {
  for (const colours of ['light', 'dark']) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      const page = await context.newPage();
      page.on('pageerror', (error) => seen.errors.push(String(error)));
      page.on('console', (line) => line.type() === 'error' && seen.errors.push(line.text()));
      await page.setViewportSize(viewport);
      await page.goto(given.url);
      await page.evaluate((theme) => {
        localStorage.clear();
        localStorage.setItem('theme', theme);
      }, colours);
      for (const [name, path] of Object.entries(PAGES)) {
        await page.goto(given.url + path);
        await page.locator('h1').first().waitFor();
        await page.waitForLoadState('networkidle', { timeout: 5000 }).catch(() => undefined);
        await judge(page, `${name}-${size}-${colours}`);
        if (name === 'chat') {
          seen.focus.push(await focus(page));
          await chat(page, `${name}-${size}-${colours}-answered`);
        }
        if (name === 'images') await images(page, `${name}-${size}-${colours}-done`);
      }
      await page.close();
    }
  }
} finally {
  await context.close();
  rmSync(home, { recursive: true, force: true });
}
console.log(JSON.stringify(seen));
