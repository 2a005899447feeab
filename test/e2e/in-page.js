/**
 * What tests run inside of a page: each function is sent there as it stands, so it uses nothing from around it.
 */

/** Makes a refusal by the Content-Security-Policy an error of the console. */
export function reportRefusals() {
  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    console.error(`refused by ${violatedDirective}: ${blockedURI}`),
  );
}

/** What has the focus: its text, its id, and the line around it. */
export function focus() {
  const { activeElement } = document;
  if (!activeElement) return { text: '', id: '', outline: '' };
  const { outlineStyle } = getComputedStyle(activeElement);
  return { text: activeElement.textContent?.trim() ?? '', id: activeElement.id, outline: outlineStyle };
}

/** How many elements there are that only markup from outside could have made. */
export function countInjected() {
  return document.querySelectorAll('main img, main script, main iframe, main style').length;
}

/**
 * Texts whose contrast is below what WCAG 2.2 AA asks: 4.5 to 1, and 3 to 1 for large ones.
 *
 * @returns {string[]}
 */
export function findFaintTexts() {
  /** @typedef {[red: number, green: number, blue: number, alpha: number]} Colour */

  /**
   * @param {string} text
   * @returns {Colour}
   */
  function parse(text) {
    const [red = 0, green = 0, blue = 0, alpha = 1] = (text.match(/[\d.]+/g) ?? []).map(Number);
    return [red, green, blue, alpha];
  }
  /**
   * @param {Colour} top
   * @param {Colour} below
   * @returns {Colour}
   */
  function over([red, green, blue, alpha], [r, g, b]) {
    const mix = (/** @type {number} */ top, /** @type {number} */ below) => top * alpha + below * (1 - alpha);
    return [mix(red, r), mix(green, g), mix(blue, b), 1];
  }
  /**
   * @param {Element} element
   * @returns {Colour}
   */
  function ground(element) {
    const colour = parse(getComputedStyle(element).backgroundColor);
    if (colour[3] === 1 || !element.parentElement) return colour;
    return over(colour, ground(element.parentElement));
  }
  /** @param {Colour} colour */
  function luminance(colour) {
    const [red = 0, green = 0, blue = 0] = colour.slice(0, 3).map(part => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }
  /**
   * @param {Node} text
   * @returns {string[]}
   */
  function check(text) {
    const element = text.parentElement;
    const shown = text.textContent?.trim();
    if (!element || !shown || !element.checkVisibility()) return [];
    const style = getComputedStyle(element);
    const below = ground(element);
    const ink = over(parse(element instanceof SVGElement ? style.fill : style.color), below);
    const [light = 0, dark = 0] = [luminance(ink), luminance(below)].sort((a, b) => b - a);
    const size = Number.parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (light + 0.05) / (dark + 0.05);
    return ratio >= (isLarge ? 3 : 4.5) ? [] : [`contrast ${ratio.toFixed(2)}: ${shown.slice(0, 60)}`];
  }

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faults = [];
  while (walker.nextNode()) faults.push(...check(walker.currentNode));
  return faults;
}

/** What goes beyond the right edge, but for what scrolls inside of its own box. */
export function findTooWide() {
  if (document.documentElement.scrollWidth <= innerWidth) return [];
  return [...document.body.querySelectorAll('*')]
    .filter(element => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest('.scroll'))
    .map(
      ({ tagName, className, textContent }) =>
        `too wide: ${tagName} ${className} ${textContent?.slice(0, 60)}`,
    );
}

/** Headings that skip a level, and pages without exactly one of the first. */
export function findHeadingFaults() {
  const headings = [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')];
  const levels = headings.map(({ tagName }) => Number(tagName.slice(1)));
  const first = levels.filter(level => level === 1).length;
  return [
    ...(first === 1 ? [] : [`${first} headings of the first level`]),
    ...levels.flatMap((level, index) =>
      level > (levels[index - 1] ?? 0) + 1 ? [`h${level} out of order: ${headings[index]?.textContent}`] : [],
    ),
  ];
}
