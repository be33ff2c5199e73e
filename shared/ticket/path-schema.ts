import { z } from 'zod';
import { PATH_CHARACTERS, PATH_FORM, pathFault } from './path.ts';

/** A path, or a pattern of paths, that an upgrade may have. One fault is told, not each that follows from it. */
export const pathSchema = z
  .string()
  .regex(PATH_CHARACTERS, { error: PATH_FORM, abort: true })
  .superRefine((path, context) => {
    const fault = pathFault(path);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  });
