package io.embed4j.image;

/**
 * What a format's decoder gives.
 *
 * @param pixels as stored
 * @param orientation EXIF's orientation, 1 to 8; 1 where the file has none
 */
record DecodedImage(RgbImage pixels, int orientation) {}
