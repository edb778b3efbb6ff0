/** Tar archives as PostgreSQL writes them, with whatever is to be wrong with them. */

export interface CraftedHeader {
  name: string;
  type?: string;
  size?: string | Buffer;
  link?: string;
  magic?: string;
}

export function tarHeader({
  name,
  type = '0',
  size = '00000000000',
  link = '',
  magic = 'ustar',
}: CraftedHeader): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, 'latin1');
  block.write('0000600 0000101 0000102 ', 100);
  if (typeof size === 'string') block.write(`${size} `, 124);
  else size.copy(block, 124);
  block.write('14523516000 ', 136);
  block.write(type, 156);
  block.write(link, 157);
  block.write(`${magic}\0${'00'}`, 257);
  block.write('postgres', 265);
  return withTarChecksum(block);
}

function withTarChecksum(block: Buffer): Buffer {
  block.write('        ', 148);
  const sum = block.reduce((all, byte) => all + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

export function tarFile(name: string, content: Buffer): Buffer {
  const size = content.length.toString(8).padStart(11, '0');
  return Buffer.concat([tarHeader({ name, size }), content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}
