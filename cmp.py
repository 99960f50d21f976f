import sys
a=[l.rsplit(' ',1) for l in open(sys.argv[1])];b=[l.rsplit(' ',1) for l in open(sys.argv[2])]
assert [x[0] for x in a]==[x[0] for x in b],'names'
import collections,math
g=collections.OrderedDict()
for (n,u),(_,v) in zip(a,b): g.setdefault(n,[]).append((float(u),float(v)))
w={}
for n,l in g.items():
  nu=math.sqrt(sum(u*u for u,_ in l));d=math.sqrt(sum((u-v)**2 for u,v in l)); k=n.split()[0]+(' '+n.split()[-1] if n.split()[0] not in('grad','loss') else ''); w[k]=max(w.get(k,0),d/nu if nu else d)
  if n=='loss': w['loss max']=max(abs(u-v)/abs(u) for u,v in l)
print({k:float('%.2g'%v) for k,v in w.items()})
