/** From which share of its time on a core counts as full: whoever runs on it has nothing to spare. */
export const FULL_CORE = 0.95;
