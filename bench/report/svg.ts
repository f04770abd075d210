/** Dark on light. */
export const COLORS = {
  paper: '#ffffff',
  ink: '#1b1f24',
  faint: '#59636e',
  line: '#d1d9e0',
  own: '#1a7f5a',
  other: '#8fa3b8',
};

/** A line of text; black when the attributes have no `fill`. */
export function text(x: number, y: number, content: string, attributes: string): string {
  const fill = attributes.includes('fill=') ? '' : ` fill="${COLORS.ink}"`;
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${x}" y="${y}"${fill} ${attributes}>${escaped}</text>`;
}
