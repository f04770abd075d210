const PATTERN = /(must match pattern "|matches )\^\[([^\]]+)\](?:\{(\d+),(\d+)\}|\+)\$"?/g;

/** What the service says, with its plain patterns (`^[a-z0-9_]{1,64}$`) in words. Others stay as they are. */
export function inWords(message: string): string {
  return message.replace(PATTERN, (_all, verb: string, characters: string, least?: string, most?: string) => {
    const count = least === undefined ? 'only characters' : `${least} to ${most} characters`;
    const ranges = characters.match(/.-.|./gu) ?? [];
    return `${verb === 'matches ' ? 'has' : 'must have'} ${count} out of: ${ranges.join(' ')}`;
  });
}
