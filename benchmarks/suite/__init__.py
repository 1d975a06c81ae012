"""All benchmark workflows together: found in their folders, run on the embedded cloud, planned over sets of regions."""
