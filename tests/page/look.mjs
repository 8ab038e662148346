// Looks at pages in a browser: node look.mjs FOLDER PAGE.html=REPORT.json …
//
// Of each page: no request leaves it, the console stays empty, axe-core finds nothing in light and in dark, it is no wider than a telephone,
// its tables show the numbers of the JSON, and details are open on paper. Pictures of it go into FOLDER: 1280 and 390 pixels wide, dark,
// and as a PDF.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const [folder, ...pages] = process.argv.slice(2);
const faults = [];

function fault(page, what) {
    faults.push(`${path.basename(page)}: ${what}`);
}

/** All numbers below a value of the JSON, as texts. */
function leaves(value, at, found) {
    if (value !== null && typeof value === 'object') {
        for (const [key, below] of Object.entries(value)) leaves(below, `${at}.${key}`, found);
    } else if (value !== null && value !== undefined) {
        found.push([at, String(value)]);
    }
    return found;
}

/** The numbers of the newest window and pair that no table shows. */
async function missing(tab, report) {
    const cells = await tab.evaluate(() => [...document.querySelectorAll('th, td')].map((cell) => cell.textContent));
    const plain = new Set(cells.map((cell) => cell.replaceAll(',', '').replace('−', '-')));
    const windows = report.windows.filter((window) => window.lens1.total_customers > 0);
    const window = windows.at(-1);
    const pair = report.comparisons.find((pair) => window && pair.to === window.name);
    const parts = { lens1: window?.lens1, more: window?.more, lens2: pair?.lens2, bridge: pair?.revenue_bridge, scores: pair?.score_migration };
    const numbers = Object.entries(parts).flatMap(([name, value]) => leaves(value, name, []));
    return numbers.filter(([, number]) => !plain.has(number) && !plain.has(`-${number}`)).map(([at, number]) => `${at} = ${number}`);
}

const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars'],
});

for (const pair of pages) {
    const [page, json] = pair.split('=');
    const name = path.basename(page, '.html');
    const own = pathToFileURL(path.resolve(page)).href;
    const tab = await browser.newPage();
    tab.on('console', (line) => fault(page, `console: ${line.text()}`));
    tab.on('pageerror', (error) => fault(page, `error: ${error.message}`));
    tab.on('request', (request) => request.url() === own || fault(page, `request: ${request.url()}`));
    for (const [kind, width, scheme] of [['wide', 1280, 'light'], ['dark', 1280, 'dark'], ['narrow', 390, 'light']]) {
        await tab.setViewport({ width, height: 900, deviceScaleFactor: width < 500 ? 2 : 1 });
        await tab.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
        await tab.goto(own);
        await tab.screenshot({ path: path.join(folder, `${name}-${kind}.png`), fullPage: true });
        const wide = await tab.evaluate(() => document.documentElement.scrollWidth);
        if (wide > width) fault(page, `${wide} pixels wide at ${width}`);
    }
    if (await tab.evaluate(() => document.scripts.length)) fault(page, 'there is a script');
    await tab.pdf({ path: path.join(folder, `${name}.pdf`), preferCSSPageSize: true, printBackground: true });
    if (json) {
        for (const number of await missing(tab, JSON.parse(fs.readFileSync(json, 'utf8')))) fault(page, `no table shows ${number}`);
    }
    // What follows is done in the page by a script that its policy forbids; what that says is not the page's.
    tab.removeAllListeners('console').removeAllListeners('request');
    await tab.setBypassCSP(true);
    for (const scheme of ['light', 'dark']) {
        await tab.setViewport({ width: 1280, height: 900 });
        await tab.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
        await tab.goto(own);
        await tab.evaluate(() => document.querySelectorAll('details').forEach((details) => { details.open = true; }));
        await tab.evaluate(axe);
        const found = await tab.evaluate(() => globalThis.axe.run());
        if (found.passes.length < 10) fault(page, `axe, ${scheme}: only ${found.passes.length} rules were tried`);
        for (const violation of found.violations) {
            fault(page, `axe, ${scheme}: ${violation.id}: ${violation.help}: ${violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(' ')}`);
        }
    }
    await tab.close();
    console.log(`${page}: ${fs.statSync(page).size} bytes, looked at`);
}
await browser.close();
faults.forEach((fault) => console.error(fault));
process.exitCode = faults.length ? 1 : 0;
