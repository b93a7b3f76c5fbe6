"""From a scene to pixels: camera, light, rasteriser, shading."""
