/**
 * Draws what a view returns into the page and changes only what differs, so that focus, scroll position and opened
 * details stay. It writes text nodes and attributes, never markup: whatever a name contains, it stays text.
 *
 * @typedef {Readonly<Record<string, (event: Event) => void>>} Handlers
 * @typedef {Readonly<Record<string, string>>} Variables CSS custom properties
 * @typedef {(node: Element) => void} Made called once, when the element has been put into the page
 * @typedef {string | number | boolean | undefined | Handlers | Variables | Made} Prop
 * @typedef {{ key?: string | number, on?: Handlers, vars?: Variables, made?: Made, [attribute: string]: Prop }} Props
 * @typedef {{ tag: string, props: Props, children: readonly Drawn[] }} VNode
 * @typedef {VNode | string} Drawn
 * @typedef {VNode | string | number | false | null | undefined | readonly Child[]} Child
 */

const SVG = 'http://www.w3.org/2000/svg';
const SPECIAL = new Set(['key', 'on', 'vars', 'made']);

/** @type {WeakMap<Node, Drawn>} */
const drawn = new WeakMap();

/**
 * @param {string} tag
 * @param {Props} [props]
 * @param {...Child} children
 * @returns {VNode}
 */
export function h(tag, props = {}, ...children) {
  return { tag, props, children: flat(children) };
}

/**
 * @param {readonly Child[]} children
 * @returns {Drawn[]}
 */
function flat(children) {
  return children.flatMap(child => {
    if (child === null || child === undefined || child === false || child === '') return [];
    if (isList(child)) return flat(child);
    return [typeof child === 'number' ? String(child) : child];
  });
}

/**
 * @param {Child} child
 * @returns {child is readonly Child[]}
 */
function isList(child) {
  return Array.isArray(child);
}

/**
 * Makes the content of an element what `children` say.
 *
 * @param {Element} parent
 * @param {...Child} children
 */
export function draw(parent, ...children) {
  const wanted = flat(children);
  const nodes = matched(parent, wanted);
  const kept = new Set(nodes);
  for (const node of [...parent.childNodes]) if (!kept.has(node)) node.remove();
  wanted.forEach((child, index) => {
    const before = parent.childNodes[index] ?? null;
    const known = nodes[index];
    const node = known ?? create(child, parent);
    if (node !== before) parent.insertBefore(node, before);
    if (known) update(known, child);
    else settle(node, child);
  });
}

/**
 * For each wanted child the node of the page that becomes it, if there is one.
 *
 * @param {Element} parent
 * @param {readonly Drawn[]} wanted
 * @returns {(ChildNode | undefined)[]}
 */
function matched(parent, wanted) {
  /** @type {Map<string, ChildNode[]>} */
  const free = new Map();
  for (const node of parent.childNodes) {
    const was = drawn.get(node);
    if (was === undefined) continue;
    const name = nameOf(was);
    const others = free.get(name);
    if (others) others.push(node);
    else free.set(name, [node]);
  }
  return wanted.map(child => free.get(nameOf(child))?.shift());
}

/** @param {Drawn} child */
function nameOf(child) {
  if (typeof child === 'string') return '#';
  const { key } = child.props;
  return key === undefined ? child.tag : `${child.tag} ${key}`;
}

/**
 * @param {Drawn} child
 * @param {Element} parent
 * @returns {ChildNode}
 */
function create(child, parent) {
  if (typeof child === 'string') return document.createTextNode(child);
  const isSvg = child.tag === 'svg' || parent.namespaceURI === SVG;
  return isSvg ? document.createElementNS(SVG, child.tag) : document.createElement(child.tag);
}

/**
 * @param {ChildNode} node
 * @param {Drawn} child
 */
function settle(node, child) {
  drawn.set(node, child);
  if (typeof child === 'string' || !(node instanceof Element)) return;
  for (const type of Object.keys(child.props.on ?? {})) {
    node.addEventListener(type, event => handlersOf(node)[type]?.(event));
  }
  setProps(node, {}, child.props);
  draw(node, ...child.children);
  child.props.made?.(node);
}

/**
 * @param {Node} node
 * @returns {Handlers}
 */
function handlersOf(node) {
  const now = drawn.get(node);
  return (typeof now === 'object' && now.props.on) || {};
}

/**
 * @param {ChildNode} node
 * @param {Drawn} child
 */
function update(node, child) {
  const was = drawn.get(node);
  if (was === child) return;
  drawn.set(node, child);
  if (typeof child === 'string') {
    node.textContent = child;
    return;
  }
  if (!(node instanceof Element) || typeof was !== 'object') return;
  setProps(node, was.props, child.props);
  draw(node, ...child.children);
}

/**
 * Compares with what was drawn, not with what is there: whether details are open is up to the reader.
 *
 * @param {Element} node
 * @param {Props} was
 * @param {Props} now
 */
function setProps(node, was, now) {
  for (const name of Object.keys(was)) {
    if (!SPECIAL.has(name) && now[name] === undefined) node.removeAttribute(name);
  }
  for (const [name, value] of Object.entries(now)) {
    if (SPECIAL.has(name) || value === was[name] || value === undefined) continue;
    if (value === false) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  if (!(node instanceof HTMLElement || node instanceof SVGElement)) return;
  for (const [name, value] of Object.entries(now.vars ?? {})) {
    if (was.vars?.[name] !== value) node.style.setProperty(name, value);
  }
}
