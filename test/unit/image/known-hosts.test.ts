import { describe, expect, it } from 'vitest';
import { mayHoldContent, mayIssueTokens } from '../../../functions/image/known-hosts.ts';

describe('a registry may send its clients', () => {
  it.each([
    ['auth.docker.io', 'registry-1.docker.io'],
    ['quay.io', 'quay.io'],
    ['gitlab.com', 'registry.gitlab.com'],
    ['gitlab.acme.dev', 'registry.acme.dev'],
    ['token.registry.example', 'registry.example'],
    ['api.digitalocean.com', 'registry.digitalocean.com'],
    ['acme.azurecr.io', 'acme.azurecr.io'],
    ['acme.westeurope.data.azurecr.io', 'acme.azurecr.io'],
    ['acme-docker.jfrog.io', 'acme-docker.jfrog.io'],
    ['gitlab.hp.com', 'registry.hp.com'],
  ])('to %s for a token of %s', (host, registry) => {
    expect(mayIssueTokens(host, registry)).toBe(true);
    expect(mayHoldContent(host, registry)).toBe(true);
  });

  it.each([
    ['production.cloudflare.docker.com', 'registry-1.docker.io'],
    ['pkg-containers.githubusercontent.com', 'ghcr.io'],
    ['storage.googleapis.com', 'gcr.io'],
    ['us-west2-docker.pkg.dev', 'registry.k8s.io'],
    ['cdn01.quay.io', 'quay.io'],
    ['acme.s3.eu-west-1.amazonaws.com', 'harbor.acme.dev'],
    ['prod.s3.dualstack.us-east-1.amazonaws.com', 'registry.k8s.io'],
    ['s3.amazonaws.com', 'harbor.acme.dev'],
    ['eusmanaged1.blob.core.windows.net', 'acme.azurecr.io'],
    ['d5l0dvt14r5h8.cloudfront.net', 'public.ecr.aws'],
    ['eastus.data.mcr.microsoft.com', 'mcr.microsoft.com'],
    ['docker-images-prod.6aa30f.r2.cloudflarestorage.com', 'registry-1.docker.io'],
  ])('to %s for content of %s', (host, registry) => {
    expect(mayHoldContent(host, registry)).toBe(true);
  });

  it.each([
    ['storage.googleapis.com', 'harbor.acme.dev'],
    ['acme.s3.amazonaws.com', 'harbor.acme.dev'],
    ['evil.s3.amazonaws.com', 'acme.s3.amazonaws.com'],
  ])('not to %s for a token of %s', (host, registry) => {
    expect(mayIssueTokens(host, registry)).toBe(false);
  });

  it.each([
    ['evil.example', 'registry.example'],
    ['example', 'registry.example'],
    ['evil.co.uk', 'registry.co.uk'],
    ['evil.com.au', 'acme.com.au'],
    ['evil.name.my', 'acme.name.my'],
    ['evil.azurecr.io', 'acme.azurecr.io'],
    ['evil.westeurope.data.azurecr.io', 'acme.azurecr.io'],
    ['acme.evil.azurecr.io', 'acme.azurecr.io'],
    ['evil.jfrog.io', 'acme.jfrog.io'],
    ['evil.a.run.app', 'acme-uc.a.run.app'],
    ['evil-uc.a.run.app', 'acme.run.app'],
    ['evil.appspot.com', 'acme.appspot.com'],
    ['evil.github.io', 'acme.github.io'],
    ['evil.ngrok.io', 'acme.ngrok.io'],
    ['2.dkr.ecr.us-east-1.amazonaws.com', '1.dkr.ecr.us-east-1.amazonaws.com'],
    ['evilregistry.acme.dev.evil.example', 'registry.acme.dev'],
    ['notacme.dev', 'registry.acme.dev'],
    ['docker.com', 'registry.acme.dev'],
    ['xdocker.com', 'registry-1.docker.io'],
    ['storage.googleapis.com.evil.example', 'gcr.io'],
    ['s3.amazonaws.com.evil.example', 'gcr.io'],
    ['ec2.amazonaws.com', 'gcr.io'],
    ['10.0.0.8', '10.0.0.7'],
    ['1.0.0.7', '10.0.0.7'],
    ['[::2]', '[::1]'],
  ])('not to %s from %s', (host, registry) => {
    expect(mayIssueTokens(host, registry)).toBe(false);
    expect(mayHoldContent(host, registry)).toBe(false);
  });
});
