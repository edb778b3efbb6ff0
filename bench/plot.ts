/** A line through points, as SVG. Both axes begin at zero: then a line through the corner is what is linear. */

export interface Plot {
  title: string;
  x: string;
  y: string;
  points: { x: number; y: number }[];
}

const WIDTH = 560;
const HEIGHT = 340;
const LEFT = 60;
const RIGHT = 24;
const TOP = 40;
const BOTTOM = 50;

export function plot({ title, x, y, points }: Plot): string {
  const highestX = Math.max(...points.map((point) => point.x));
  const highestY = Math.max(...points.map((point) => point.y)) * 1.15;
  const at = (point: { x: number; y: number }): [number, number] => [
    LEFT + (point.x / highestX) * (WIDTH - LEFT - RIGHT),
    HEIGHT - BOTTOM - (point.y / highestY) * (HEIGHT - TOP - BOTTOM),
  ];
  const line = points.map((point) => at(point).map(Math.round).join(',')).join(' ');
  const dots = points.map((point) => {
    const [cx, cy] = at(point).map(Math.round);
    return `<circle cx="${cx}" cy="${cy}" r="3.5" fill="#1f5fa8"/><text x="${cx}" y="${cy! - 9}" text-anchor="middle">${point.y.toFixed(2)}</text><text x="${cx}" y="${HEIGHT - BOTTOM + 17}" text-anchor="middle">${point.x}</text>`;
  });
  const base = HEIGHT - BOTTOM;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<title>${title}: ${y} by ${x}</title>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
<text x="${LEFT}" y="22" font-size="15">${title}</text>
<path d="M${LEFT} ${TOP}V${base}H${WIDTH - RIGHT}" fill="none" stroke="#888"/>
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 12}" text-anchor="middle">${x}</text>
<text transform="translate(18 ${(TOP + base) / 2}) rotate(-90)" text-anchor="middle">${y}</text>
<text x="${LEFT - 8}" y="${base}" text-anchor="end">0</text>
<polyline points="${line}" fill="none" stroke="#1f5fa8" stroke-width="2"/>
${dots.join('\n')}
</svg>
`;
}
