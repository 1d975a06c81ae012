"""AWS as tests have it: moto's control plane, functions that really run, a record of every request."""
