// status_page.js URL SERVED_JSON: checks the status page in chromium. Exits with 0 if all checks
// pass. SERVED_JSON: {"methods": [...], "clients": [...], "id": "..."}, those that the test uses.
//
// The test calls the methods meanwhile. Each check opens a page of its own. An error, a console
// message, or a load that the page's content policy refused fails the check.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [url, served_json] = process.argv.slice(2);
const served = JSON.parse(served_json);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});

async function live(page) {
  await page.waitForFunction(() => document.getElementById("link").className === "live");
  await page.waitForFunction(() => document.querySelectorAll("#methods tbody th").length > 0);
}

async function check(name, options, look) {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(120_000);  // long enough for a busy machine
  const complaints = [];
  page.on("console", (message) => {
    // On a slow machine a page may not be made in time. It is asked for again.
    if (!message.text().includes("a status of 503")) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  try {
    await page.goto(url);
    await live(page);
    await look(page, complaints);
    assert.deepEqual(complaints, []);
    console.log(`ok: ${name}`);
  } catch (error) {
    throw new Error(`${name}: ${error.stack}`);
  } finally {
    await page.close();
  }
}

const texts = (page, selector) =>
  page.$$eval(selector, (nodes) => nodes.map((node) => node.textContent));

function keptOf(page, method) {
  const name = page.locator("th", { hasText: method });
  return page.locator("#kept tbody tr", { has: name }).locator("button").first();
}

async function hostileNamesAreText(page) {
  const methods = await texts(page, "#methods tbody th");
  for (const name of served.methods) assert.ok(methods.includes(name), `${name} in ${methods}`);
  await keptOf(page, served.methods[0]).click();
  const kept = (await texts(page, "#kept-list button")).join();
  assert.ok(served.clients.some((name) => kept.includes(name)), kept);
  const made = await page.$$eval("main *", (nodes) => nodes.map((node) => node.localName));
  assert.ok(!made.includes("img") && !made.includes("script") && !made.includes("i"));
}

async function aRequestLightsUpInAllRows(page) {
  await page.selectOption("#span", "60");
  await page.waitForFunction(() => document.querySelectorAll("#picture .bar-run").length >= 2);
  await page.focus("#picture");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft"); // the newest request may still run
  const panel = () => page.textContent("#panel");
  assert.match(await panel(), /Request\d+/);
  assert.ok((await page.$$("#picture .chosen")).length >= 2, "its queue and run bars");
  assert.equal(await page.getAttribute("#pause", "aria-pressed"), "true");
  const first = await panel();
  await page.keyboard.press("ArrowLeft");
  assert.notEqual(await panel(), first);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Escape");
  assert.equal((await page.$$("#picture .chosen")).length, 0);
  await page.click("#pause");
  assert.equal(await page.getAttribute("#pause", "aria-pressed"), "false");
}

async function aBarCanBeClicked(page) {
  await page.selectOption("#span", "60");
  await page.waitForSelector("#picture .bar-run");
  await page.click("#pause");
  const box = await page.locator("#picture .bar-run").last().boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  assert.match(await page.textContent("#panel"), /Outcome/);
}

// The page learns the ends of requests only after it was paused.
async function aPausedPictureStays(page) {
  const ends = [];
  let isHeld = true;
  await page.route("**/requests.json*", async (route) => {
    const response = await route.fetch();
    const answer = await response.json();
    for (const one of isHeld ? answer.requests : []) {
      ends.push({ ...one, events: one.events.filter((event) => event.kind === "answered") });
      one.events = one.events.filter((event) => event.kind !== "answered");
    }
    if (!isHeld) answer.requests.unshift(...ends.splice(0));
    await route.fulfill({ response, json: answer });
  });
  const next = () => page.waitForResponse("**/requests.json*");
  await next();
  await next();
  await page.waitForFunction(() => document.querySelector("#picture .bar-run"));
  await page.click("#pause");
  isHeld = false;
  await next();
  await next();
  await page.focus("#picture");
  await page.keyboard.press("End");
  assert.match(await page.textContent("#panel"), /Outcomenot ended.*so far.*Endednot yet/s);
  await page.unrouteAll({ behavior: "wait" });
}

async function keptRequestsOpenThePanel(page) {
  await keptOf(page, served.methods[0]).click();
  await page.locator("#kept-list button").first().click();
  const panel = await page.textContent("#panel");
  assert.match(panel, /Outcome.*Took.*Request\d+JSON-RPC id.*Client/s);
  assert.ok(panel.includes(JSON.stringify(served.id)), panel);
}

async function tabReachesEverything(page) {
  const reached = new Set();
  for (let i = 0; i < 40; ++i) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement.id));
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    const isBody = await page.evaluate(() => document.activeElement === document.body);
    assert.ok(isBody || outline !== "none", "the focus is visible");
  }
  for (const id of ["theme", "pause", "span", "only", "picture"]) assert.ok(reached.has(id), id);
}

async function fitsAPhone(page) {
  const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(widths[0] <= widths[1], widths);
}

// The tables that are wider than their frames.
const cutOff = () => [...document.querySelectorAll(".scroll")]
  .filter((frame) => frame.scrollWidth > frame.clientWidth)
  .map((frame) => `${frame.firstElementChild.id}: ${frame.scrollWidth} of ${frame.clientWidth}`);

async function noTableIsCutOff(page) {
  assert.deepEqual(await page.evaluate(cutOff), []);
}

// The texts whose contrast with their background is below 4.5.
function pale() {
  const numbers = (text) => text.match(/[\d.]+/g).map(Number);
  const light = (text) => {
    const [r, g, b] = numbers(text).slice(0, 3).map((value) =>
      value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const { backgroundColor } = getComputedStyle(node);
    return numbers(backgroundColor)[3] === 0 ? behind(node.parentElement) : backgroundColor;
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const hasText = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
    if (!hasText || node.closest("svg, option, noscript")) continue;
    const lights = [light(getComputedStyle(node).color), light(behind(node))].sort((a, b) => b - a);
    const contrast = (lights[0] + 0.05) / (lights[1] + 0.05);
    if (contrast < 4.5) found.push(`${node.localName} ${node.className} ${contrast}`);
  }
  return found;
}

async function textHasContrast(page) {
  for (const theme of ["light", "dark"]) {
    await page.selectOption("#theme", theme);
    assert.deepEqual(await page.evaluate(pale), [], theme);
  }
}

async function theThemeStays(page) {
  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await back();  // the system's theme
  await page.selectOption("#theme", "light");
  const light = await back();
  assert.notEqual(light, dark);
  await page.reload();
  await live(page);
  assert.equal(await back(), light);
}

async function aServerThatIsAwayIsTold(page, complaints) {
  await page.route("**/status.json", (route) => route.abort());
  await page.waitForFunction(() => document.getElementById("link").className === "lost");
  assert.match(await page.textContent("#link"), /the server has not answered since/);
  await page.unroute("**/status.json");
  await live(page);
  complaints.length = 0;  // the aborted requests have caused these
}

async function aRestartIsTold(page) {
  await page.route("**/status.json", async (route) => {
    const response = await route.fetch();
    const state = await response.json();
    await route.fulfill({ response, json: { ...state, pid: 1, methods: {}, worker_ends: {} } });
  });
  await page.waitForFunction(() => /started anew/.test(document.getElementById("server").textContent));
  assert.ok(!(await page.textContent("main")).includes("NaN"));
  await page.unrouteAll({ behavior: "wait" });  // an answer may be under way
}

const desktop = { viewport: { width: 1280, height: 900 } };
try {
  await check("hostile names are text", desktop, hostileNamesAreText);
  await check("a request lights up in all rows", desktop, aRequestLightsUpInAllRows);
  await check("a bar can be clicked", desktop, aBarCanBeClicked);
  await check("a paused picture stays", desktop, aPausedPictureStays);
  await check("kept requests open the panel", desktop, keptRequestsOpenThePanel);
  await check("Tab reaches everything", desktop, tabReachesEverything);
  await check("it fits a phone", { viewport: { width: 360, height: 740 } }, fitsAPhone);
  await check("no table is cut off", desktop, noTableIsCutOff);
  await check("text has contrast", desktop, textHasContrast);
  await check("the theme stays", { ...desktop, colorScheme: "dark" }, theThemeStays);
  await check("a server that does not answer is shown as lost", desktop, aServerThatIsAwayIsTold);
  await check("a restart is shown", desktop, aRestartIsTold);
} finally {
  await browser.close();
}
