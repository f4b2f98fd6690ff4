/**
 * Images on their way to the vision tower: decoding as PIL decodes, PIL's bicubic resampling, patches in the order of
 * Qwen2-VL's image processor, M-RoPE positions, pages of a PDF, and the picture of a query's relevance on a page.
 */
package io.embed4j.image;
