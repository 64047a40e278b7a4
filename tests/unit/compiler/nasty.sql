select * from people
from people
from people select count(*)
from people select region, count(*) group by region
select count(*), from people
select region, count(*), from people group by region,
select region, count(*) from people group by all order by all
select region, sex, count(*) from people group by all order by all desc nulls last
select distinct on (region) region, sex, count(*) n from people group by 1,2 order by region, n desc
select distinct region, count(*) from people group by region
select distinct count(*) from people group by region, sex
select region, count(*) from people group by region limit 50%
select region, count(*) from people group by region order by 2 limit 10 percent
select region, count(*) from people using sample 10% group by region
select region, count(*) from people tablesample 10% group by region
select region, count(*) from people tablesample reservoir(10) group by region
select region, count(*) filter (where sex='F'), sum(pay) filter (pay > 100) from people group by region
select sum(count(*)) from people
select max(count(*)) over () from people group by region
select count(count(*)) from people
select percentile_cont(0.5) within group (order by pay) from people
select percentile_disc(0.5) within group (order by pay desc) from people
select quantile_cont(pay, [0.25, 0.5, 0.75]) from people
select mode() within group (order by pay) from people
select [x for x in [1,2,3] if x > 1], count(*) from people
select list_transform([1,2], x -> x + 1), count(*) from people
select list_transform([1,2], lambda x : x + 1), count(*) from people
select {'a': count(*)} from people
select {'a': region} s, count(*) from people group by s
select struct_pack(a := count(*)) from people
select [count(*), 1] from people
select (count(*), 1) from people
select row(count(*), 1) from people
select columns(*) from people
select columns('pay|hours') from people
select sum(columns('pay|hours')) from people
select count(columns(*)) from people
select min(columns(*)) from people
select * exclude (pay) from people
select * exclude pay, count(*) from people group by all
select * replace (pay*2 as pay) from people
select * rename (pay as p) from people
select count(*) from (select * exclude (pay) from people)
select count(*) from (select * replace (1 as pay) from people)
select p.* from people p
select count(p.*) from people p
select count(p) from people p
select p from people p
select people from people
select count(people) from people
select count(*) from people as p(a, b, c)
select c, count(*) from people as p(a, b, c) group by 1
select region, count(*) from people as p(a) group by 1
with t(r, n) as (select region, count(*) from people group by 1) select r, n from t
with t(r) as (select region, count(*) from people group by 1) select * from t
with t(a,b,c,d,e) as (select region, count(*) from people group by 1) select * from t
with t as materialized (select region, count(*) n from people group by 1) select * from t
with t as not materialized (select region, count(*) n from people group by 1) select * from t
with recursive t as (select 1 as x union all select x+1 from t where x < 5) select count(*) from t, people
with recursive t as (select region, count(*) n from people group by 1) select * from t
with recursive t(x) as (select count(*) from people union all select x-1 from t where x > 1) select * from t
with people as (select region, count(*) n from people group by 1) select * from people
with people as (select * from people where sex='F') select count(*) from people
with people as (select * from learners) select level, count(*) from people group by 1
with a as (select * from b), b as (select count(*) from people) select * from a
with a as (select count(*) n from people), a as (select count(*) n from learners) select * from a
select count(*) from people where person_id = (select person_id from learners l where l.person_id = people.person_id)
select region, (select count(*) from learners) from people group by region
select region, count(*), (select count(*) from people q where q.region = p.region) from people p group by region
select region, n, (select max(n) from (select region, count(*) n from people group by 1) y) from (select region, count(*) n from people group by 1) x
select x.region, (select y.n from (select seat region, count(*) n from employers group by 1) y where y.region=x.region limit 1) from (select region, count(*) n from people group by 1) x
select (select region from people group by region), count(*) from people
select (select n from (select region, count(*) n from people group by region)), count(*) from people
select count(*) from people where region in ()
select count(*) from people where (region, sex) in (('E12N','F'))
select count(*) from people where (region, sex) = ('E12N','F')
select count(*) from people where row(region, sex) = row('E12N','F')
select count(*) from people where (region, sex) not in (('E12N','F'))
select count(*) from people where (region, sex) in ('E12N','F')
select count(*) from people where (region, sex) in (('E12N','F', 'x'))
select count(*) from people where (region, sex) in (('E12N','F'), null)
select count(*) from people where (region, age) in (('E12N',20), ('E12S', 30))
select count(*) from people where region in ('E12N', null)
select count(*) from people where region not in ('E12N', null)
select count(*) from people where region in (select region from geography)
select count(*) from people where region not in (select combined_authority from geography)
select count(*) from people where region = any(['E12N'])
select count(*) from people where region = any(select region from geography)
select count(*) from people where region = all(select region from geography)
select count(*) from people where region in ['E12N', 'E12S']
select count(*) from people where list_contains(['E12N'], region)
select count(*) from people where region like 'E12_' escape '$'
select count(*) from people where region ilike 'e12%'
select count(*) from people where region similar to 'E12(N|S)'
select count(*) from people where region ~ 'E12.*'
select count(*) from people where region glob 'E12*'
select count(*) from people where regexp_matches(region, '[')
select count(*) from people where age::varchar = '30'
select count(*) from people where try_cast(region as int) = 3
select count(*) from people where cast(region as int) = 3
select count(*) from people where cast(region as struct(a int)).a = 3
select count(*) from people where age = '30'
select count(*) from people where age = 'thirty'
select count(*) from people where age = 30.5
select count(*) from people where age = -1
select count(*) from people where age > -1
select count(*) from people where age in (30, 31.0, '32')
select count(*) from people where sex = 1
select count(*) from people where sex = 1.5e300
select count(*) from people where sex = true
select count(*) from people where sex is true
select count(*) from people where sex
select count(*) from people where age
select count(*) from people where 1
select count(*) from people where null
select count(*) from people where true
select count(*) from people where false
select count(*) from people where 'a'
select count(*) from people where not null
select count(*) from people where null = null
select count(*) from people having false
select count(*) from people having count(*) > 1
select region from people having count(*) > 1
select 1 from people
select 1 from people group by ()
select 1 from people group by 1
select 1 from people group by region
select 'x', count(*) from people group by 1
select 'x', count(*) from people group by 'x'
select null, count(*) from people group by all
select count(*) from people group by null
select count(*) from people group by 99
select count(*) from people group by 0
select count(*) from people group by -1
select count(*) from people group by 1
select region r, count(*) from people group by r order by -r
select region from people group by region having region = 'E12N'
select region, count(*) from people group by region order by count(*) desc nulls first limit 3 offset 1
select region, count(*) from people group by region order by 3
select region, count(*) from people group by region order by age
select region, count(*) from people group by region order by avg(pay)
select region, count(*) from people group by region limit (select 2)
select region, count(*) from people group by region limit (select count(*) from learners)
select region, count(*) from people group by region limit 1+1
select region, count(*) from people group by region limit null
select region, count(*) from people group by region limit all
select region, count(*) from people group by region limit -1
select region, count(*) from people group by region fetch first 3 rows only
select count(*) from people qualify row_number() over () = 1
select region, count(*) n from people group by region qualify n > 3
select region, count(*) n from people group by region qualify row_number() over (partition by region order by n) = 1
select row_number() over () from people
select count(*) over () from people
select region, count(*) over (partition by region) from people
select region, sum(count(*)) over w from people group by region window w as (order by region)
select region, sum(count(*)) over (order by region rows between unbounded preceding and current row) from people group by region
select region, sum(count(*)) over (order by region range between 1 preceding and 1 following exclude ties) from people group by region
select region, lag(count(*), 1, 0) over (order by region) from people group by region
select region, ntile(4) over (order by count(*)) from people group by region
select region, first_value(region) over (order by count(*) desc) from people group by region
select region, count(*) filter (where sex='F') over () from people group by region
select region, sum(count(*) filter (where sex='F')) over () from people group by region
select region, sum(sum(pay)) over () / sum(count(*)) over () from people group by region
select region, count(*) from people natural join employers group by region
select region, count(*) from people natural join geography group by region
select e.size_band, count(*) from people p right join employers e using (employer_id) group by 1
select e.size_band, count(*) from people p full join employers e using (employer_id) group by 1
select e.size_band, count(*) from people p cross join employers e group by 1
select e.size_band, count(*) from people p, employers e group by 1
select count(*) from people p semi join employers e using (employer_id)
select count(*) from people p anti join employers e using (employer_id)
select count(*) from people p asof join employers e on p.employer_id >= e.employer_id
select count(*) from people p positional join employers e
select count(*) from people p join employers e on true
select count(*) from people p join employers e on p.employer_id = e.employer_id and e.size_band = 'S'
select count(*) from people p left join employers e on p.employer_id = e.employer_id and e.size_band = 'S'
select count(*) from people p join employers e on p.employer_id = e.employer_id or e.size_band = 'S'
select count(*) from people p join employers e on e.employer_id > p.employer_id
select count(*) from people p join people q on p.person_id = q.person_id
select count(*) from people p join people q using (person_id)
select count(*) from people, people
select p.region, count(*) from people p join (select employer_id from employers where size_band='S') e using (employer_id) group by 1
select p.region, count(*) from people p join (select employer_id, count(*) n from employers group by 1) e using (employer_id) group by 1
select p.region, count(*) from people p join (select region, count(*) n from people group by 1) e using (region) group by 1
select count(*) from people p, lateral (select 1 as one) l
select count(*) from people p, lateral (select count(*) from learners l where l.person_id = p.person_id) l
select x.region, l.k from (select region, count(*) n from people group by 1) x, lateral (select n * 2 as k) l
select unnest([1,2,3]), count(*) from people
select u, n from (select count(*) n from people), unnest([1,2,3]) t(u)
select count(*) from people, unnest([1,2,3]) t(u)
select * from (values (1, 'a'), (2, 'b')) t(x, y)
select t.x, n from (values ('E12N', 1)) t(x, y) join (select region, count(*) n from people group by 1) q on q.region = t.x
select count(*) from people join (values ('E12N')) t(x) on people.region = t.x
select count(*) from people where region in (values ('E12N'))
values (1), (2)
table people
select count(*) from range(10)
select r, n from range(3) t(r), (select count(*) n from people)
select count(*) from read_csv('x')
select count(*) from 'people.parquet'
select count(*) from people.people
select count(*) from main.people
select main.people.region, count(*) from main.people group by 1
select people.region, count(*) from people group by people.region
select People.REGION, COUNT(*) FROM PEOPLE GROUP BY people.Region
select "region", count(*) from "people" group by "region"
select "REGION", count(*) from "PEOPLE" group by "Region"
select region as "Ré gion ""x""", count(*) as "n;--" from people group by 1
select region as "", count(*) from people group by 1
select region as "k0", count(*) as "a0", sum(pay) as "s0" from people group by 1
select count(*) as grouping from people
select region "grouping", count(*) "cells_0" from people group by region
with cells_0 as (select count(*) n from people) select * from cells_0
with cells_0 as (select region, count(*) n from people group by 1), cells_1 as (select region, count(*) m from people group by 1) select * from cells_0 join cells_1 using (region)
select cells_0.region from people cells_0 group by 1
select region, count(*) from people cells_0 group by cells_0.region
select count(*) /* comment */ from people -- end
select count(*) from people where region = 'E12N' /* unclosed
select count(*) from people;
select count(*) from people; select 1
;
select
select from people
select count(* from people
select count(*)) from people
select count(*) from people where
select $area, count(*) from people group by 1
select count(*) from people where area = $area
select count(*) from people where area = $1
select count(*) from people where area = ?
select count(*) from people where area in ($area, 'E0601')
select count(*) from people where age > $age
select date '2020-01-01', count(*) from people
select interval 1 day, count(*) from people
select current_date, count(*) from people
select now() - interval 1 year, count(*) from people
select current_date - date '2020-01-01', count(*) from people
select date_trunc('month', current_date), count(*) from people
select year(current_date), count(*) from people
select count(*) from learners where month > strftime(current_date, '%Y-%m')
select count(*) from learners where month::date > current_date
select count(*) from learners where (month || '-01')::date >= date '2025-01-01'
select year((month || '-01')::date) y, count(*) from learners group by 1
select date_trunc('year', (month || '-01')::date) y, count(*) from learners group by 1
select extract(year from (month || '-01')::date) y, count(*) from learners group by y
select strptime(month, '%Y-%m') m, count(*) from learners group by 1
select (month || '-01')::date + interval 3 month m, count(*) from learners group by 1
select (month || '-01')::timestamptz m, count(*) from learners group by 1
select [area] a, count(*) from people group by 1
select {'a': area} a, count(*) from people group by 1
select area::blob a, count(*) from people group by 1
select age::double a, count(*) from people group by 1
select age::float a, count(*) from people group by 1
select age::hugeint a, count(*) from people group by 1
select age::decimal(5,2) a, count(*) from people group by 1
select age::bit a, count(*) from people group by 1
select age > 30 a, count(*) from people group by 1
select age / 0 a, count(*) from people group by 1
select age // 0 a, count(*) from people group by 1
select age % 0 a, count(*) from people group by 1
select ln(age - 16) a, count(*) from people group by 1
select age / 10.0 a, count(*) from people group by 1
select 'nan'::double a, count(*) from people group by 1
select case when age > 30 then 'nan'::double else 1 end a, count(*) from people group by 1
select age * 1e308 * 10 a, count(*) from people group by 1
select uuid() u, count(*) from people group by 1
select random() > 0.5 u, count(*) from people group by 1
select hash(region), count(*) from people group by 1
select md5(region), count(*) from people group by 1
select rowid, count(*) from people group by 1
select count(rowid) from people
select person_id, count(*) from people group by 1
select rkey, count(*) from people group by 1
select weight, count(*) from people group by 1
select employer_id, count(*) from people group by 1
select count(employer_id) from people
select count(distinct employer_id) from people
select count(distinct region) from people
select count(distinct (region, sex)) from people
select count(distinct region, sex) from people
select count(distinct person_id) filter (where pay > 100) from people
select count(all pay) from people
select sum(distinct pay) from people
select avg(distinct pay) from people
select count() from people
select count(1) from people
select count(null) from people
select count('x') from people
select count(1+1) from people
select count(pay + hours) from people
select count(region || sex) from people
select count(case when region='E12N' and sex='F' then 1 end) from people
select count(case when region='E12N' then pay when sex='F' then hours end) from people
select sum(case when region='E12N' then pay when sex='F' then hours else 1 end) from people
select sum(null) from people
select sum(1) from people
select sum('1') from people
select sum(true) from people
select sum(region) from people
select sum(pay * pay) from people
select sum(pay / hours) from people
select sum(pay / 0) from people
select sum(pay + null) from people
select sum(pay * 1e400) from people
select sum(pay * 1e-30) from people
select sum(pay::int) from people
select sum(pay::double) from people
select sum(abs(pay)) from people
select sum(coalesce(pay, 0)) from people
select avg(coalesce(pay, 0)) from people
select sum(if(sex='F', pay, 0)) from people
select sum(iff(sex='F', pay, 0)) from people
select sum(nullif(pay, 100)) from people
select avg(nullif(hours, 0)) from people
select sum(case sex when 'F' then pay end) from people
select sum(case sex when 'Female' then pay when 'Male' then 0 end) from people
select sum(pay) filter (where sex = 'F' and false) from people
select count(*) filter (where false) from people
select count(*) filter (where null) from people
select avg(pay) filter (where false) from people
select median(pay) filter (where false) from people
select median(pay) from people where false
select median(case when sex='F' then pay end) from people
select median(age) from people
select median(region) from people
select median(pay + hours) from people
select median(2*pay+1) from people
select median(-pay) from people
select median(0*pay) from people
select quantile_cont(pay, 0.123) from people
select quantile_cont(pay, -0.5) from people
select quantile_cont(pay, 'x') from people
select quantile_cont(pay, null) from people
select quantile_cont(pay) from people
select quantile_cont(pay, []) from people
select quantile_cont(pay, [0.5, 'a']) from people
select quantile_cont(pay, hours) from people
select percentile_cont([0.25,0.5]) within group (order by pay) from people
select percentile_cont(0.5) within group (order by pay, hours) from people
select percentile_cont() within group (order by pay) from people
select approx_quantile(pay, 0.5) from people
select mad(pay) from people
select kurtosis(pay) from people
select corr(pay, hours) from people
select regr_slope(pay, hours) from people
select string_agg(region, ',') from people
select list(region) from people
select array_agg(region order by pay) from people
select group_concat(region) from people
select histogram(age) from people
select arg_max(region, pay) from people
select first(pay) from people
select any_value(region) from people
select max(pay) from people
select max(pay, 3) from people
select max_by(region, pay) from people
select min(age), max(age) from people
select bool_and(sex='F') from people
select bit_and(age) from people
select approx_count_distinct(region) from people
select entropy(region) from people
select product(age) from people
select fsum(pay) from people
select sum_no_overflow(age) from people
select favg(pay) from people
select geomean(pay) from people
select var_pop(pay) from people
select stddev_pop(pay) from people
select variance(pay) from people
select var_samp(region) from people
select stddev(case when sex='F' then pay else hours end) from people
select stddev(0*pay) from people
select count_if(pay > 100) from people
select count_if(region = 'E12N' or sex = 'F') from people
select countif(sex='F') from people
select count_star() from people
select grouping(region) from people group by region
select grouping_id(region, sex) from people group by cube (region, sex)
select grouping(age) from people group by region
select grouping() from people group by region
select grouping(region) from people
select region, grouping(region), count(*) from people group by rollup(region) having grouping(region) = 1
select region, count(*) from people group by rollup(region, region)
select region, count(*) from people group by region, rollup(region)
select region, sex, count(*) from people group by cube(region), rollup(sex)
select region, sex, count(*) from people group by grouping sets ((region), (sex), ())
select region, sex, count(*) from people group by grouping sets (rollup(region, sex), cube(region))
select region, sex, count(*) from people group by grouping sets (grouping sets ((region), ()), (sex))
select region, sex, count(*) from people group by grouping sets ((region), (region))
select region, sex, status, age_band, ca, area, count(*) from people group by cube(region, sex, status, age_band, ca, area)
select region, sex, status, age_band, ca, area, occupation, count(*) from people group by cube(region, sex, status, age_band, ca, area, occupation)
select region, count(*) from people group by rollup((region, sex))
select region, count(*) from people group by grouping sets ()
select region, count(*) from people group by rollup()
select region, count(*) from people group by cube(1)
select region, count(*) from people group by rollup(1)
select upper(region) u, lower(sex) l, count(*) from people group by all
select upper(region) || sex u, count(*) from people group by all
select region || '/' || sex, count(*) from people group by region, sex
select region || sex, count(*) from people group by region, sex
select concat(region, sex), count(*) from people group by region, sex
select upper(region), count(*) from people group by region
select age + 1, count(*) from people group by age
select age // 10, count(*) from people group by age // 10
select age // 10 * 10, count(*) from people group by age // 10
select case when region = 'E12N' then 1 else 0 end, count(*) from people group by region
select case when count(*) > 10 then 'big' else 'small' end, region from people group by region
select case when region = 'E12N' then count(*) end from people group by region
select coalesce(region, 'All'), count(*) from people group by rollup(region)
select coalesce(case when grouping(region)=1 then 'All' end, region), count(*) from people group by rollup(region)
select cast(count(*) as double) / nullif(sum(count(*)) over (), 0) from people group by region
select count(*)::struct(a int) from people
select count(*)::int[] from people
select cast(count(*) as decimal(3,0)) from people
select count(*) / 0 from people
select 1 / (count(*) - count(*)) from people
select round(avg(pay), 2), trunc(avg(pay)), avg(pay)::int from people
select format('{:,}', count(*)) from people
select printf('%d', count(*)) from people
select to_json(count(*)) from people
select repeat('x', count(*)) from people
select generate_series(1, count(*)) from people
select unnest(generate_series(1, count(*))) from people
select * from (select region, count(*) n from people group by 1) unpivot (v for k in (n))
unpivot (select region, count(*) n, sum(pay) p from people group by 1) on n, p into name k value v
pivot people on sex using count(*)
pivot people on sex, status using count(*) group by region
pivot people on sex using count(*), sum(pay) group by region
pivot people on sex using avg(pay) as a group by region order by region limit 2
pivot people on pay using count(*) group by region
pivot people on person_id using count(*) group by region
pivot people on area using count(*)
pivot people on nothing using count(*)
pivot people using count(*) group by region
pivot people on sex
pivot nothing on sex using count(*)
pivot people on sex in ('F') using count(*) group by region
pivot people on sex in ('X') using count(*) group by region
pivot people on (sex || status) using count(*) group by region
pivot people on sex in (select sex from sex) using count(*) group by region
with t as (pivot people on sex using count(*) group by region) select * from t
select * from (pivot people on sex using count(*) group by region) where region = 'E12N'
select * from people pivot (count(*) for sex in ('F','M') group by region)
select * from people pivot (count(*) for sex in ('F','M') status in ('EMP') group by region)
select * from (select region, sex, count(*) n from people group by 1, 2) p pivot (sum(n) for sex in ('F' as women, 'M' as men))
select * from (select region, sex, pay from people) pivot (avg(pay) for sex in ('F', 'M'))
select count(*) from people union select count(*) from learners
select count(*) from people union all select sum(pay) from people
select count(*), 'a' from people union all select 'b', count(*) from people
select count(*) from people union all select region, count(*) from people group by 1
select region, count(*) from people group by 1 intersect select seat, count(*) from employers group by 1
select region, count(*) from people group by 1 except all select seat, count(*) from employers group by 1
select region r, count(*) n from people group by 1 union by name select count(*) n from people
select region r, count(*) n from people group by 1 union all by name select count(*) n from people
(select count(*) from people) union all (select count(*) from learners order by 1 limit 1)
select count(*) from people union all select count(*) from learners order by 1 limit 1
(select count(*) from people)
((select count(*) from people))
select (((count(*)))) from people
select * from (select * from (select * from (select region, count(*) from people group by 1)))
select count(*) from (select * from people union all select * from people)
select count(*) from (select * from people where sex='F' union all select * from people where sex='M')
select count(*) from (select * from people where sex='F' union select * from people where sex='M')
select count(*) from (select region from people where sex='F' union all select seat from employers)
select count(*) from (select sex from people except select 'F')
select count(*) from (select region from people limit 10)
select count(*) from (select region from people order by region)
select count(*) from (select distinct region from people)
select count(*) from (select region, sex from people group by 1,2)
select sum(n) from (select region, count(*) n from people group by 1)
select median(n) from (select area, count(*) n from people group by 1)
select avg(n) from (select person_id, count(*) n from people group by 1)
select avg(n) from (select person_id, count(*) n from learners group by 1)
select avg(n) from (select person_id, sum(hours) n from people group by 1 having sum(hours) > 10)
select region, avg(h) from (select person_id, any_value(region) region, max(hours) h from people group by person_id) group by 1
select avg(n) from (select person_id, row_number() over () n from people group by 1)
select avg(n) from (select person_id, count(distinct region) n from people group by 1)
select avg(n) from (select person_id, list(region) n from people group by 1)
select avg(n) from (select person_id, sum(hours) filter (where sex='F') n from people group by 1)
select avg(n) from (select person_id, count(*) filter (where sex='F') n from people group by 1)
select count(*) from people where pay > (select avg(pay) from people)
select count(*) from people where pay > (select avg(pay) from people where region = people.region)
select count(*) from people where pay > (select avg(pay) from people p where p.region = people.region)
select count(*) from people where pay > (select avg(pay) from people group by region)
select count(*) from people where pay > (select pay from people)
select count(*) from people where pay > (select 100)
select count(*) from people where pay > 0.5 * (select median(pay) from people)
select count(*) from people where age > (select avg(age) from people)
select count(*) from people where region = (select max(region) from geography)
select count(*) from people where region = (select region from geography limit 1)
select count(*) from people where (select true)
select count(*) from people where exists (select 1)
select count(*) from people where exists (select 1 from geography)
select count(*) from people where exists (select 1 from geography g where g.local_authority = people.area)
select count(*) from people where exists (select 1 from learners)
select count(*) from people p where exists (from learners l where l.person_id = p.person_id)
select count(*) from people p where exists (select 1 from learners l where l.person_id = p.person_id and l.home = p.area)
select count(*) from people p where exists (select 1 from learners l where l.person_id = p.person_id or l.level = 'L2')
select count(*) from people p where not exists (select 1 from learners l where l.person_id = p.person_id) or sex = 'F'
select exists (select 1 from learners l where l.person_id = p.person_id) has, count(*) from people p group by 1
select person_id in (select person_id from learners) has, count(*) from people group by 1
select count(*) from people where person_id not in (select person_id from learners)
select count(*) from people where employer_id not in (select employer_id from employers)
select count(*) from people where employer_id in (select employer_id from employers where size_band='S')
select count(*) from people where person_id in (select person_id from learners group by 1)
select count(*) from people where person_id in (select person_id from learners group by 1 having count(*) > 1)
select count(*) from people where person_id in (select person_id from learners union select person_id from people)
select count(*) from people where person_id in (select person_id, level from learners)
select count(*) from people where person_id in (select level from learners)
select count(*) from people where (person_id, sex) in (select person_id, level from learners)
select count(*) from people where person_id in ('P0000001')
select count(*) from people where person_id = 'P0000001'
select count(*) from people where person_id is not null
select count(*) from people where employer_id is null
select count(*) from people where rkey % 2 = 0
select count(*) from people where weight > 3
select count(*) from people where region < sex
select count(*) from people where region = sex or age = 3
select count(*) from people where case when sex = 'F' then age > 30 else age > 40 end
select count(*) from people where if(sex='F', true, false)
select count(*) from people where coalesce(occupation, '11') = '11'
select count(*) from people where occupation = null
select count(*) from people where occupation is distinct from '11'
select count(*) from people where occupation is not distinct from null
select count(*) from people where area is not null
select count(*) from people where not (occupation = '11' or sex = 'F')
select count(*) from people where not (occupation in ('11', '12') and sex = 'F')
select count(*) from people where not (not (sex='F'))
select count(*) from people where (sex='F') = true
select count(*) from people where (sex='F') = (age > 30)
select count(*) from people where (sex='F') is not true
select count(*) from people where xor(sex='F', age>30)
select count(*) from people where age between 30 and 20
select count(*) from people where age between symmetric 30 and 20
select count(*) from people where age not between 20 and 30
select count(*) from people where 20 < age and age < 30
select count(*) from people where 20 < age < 30
select count(*) from people where age = 20 or age = 21 or age = 22 or sex = 'F' or region='E12N' or status='EMP' or area='E0601'
select count(*) from people where ca = 'E47A' and area = 'E0603'
select count(*) from people where region = 'North'
select count(*) from people where region = 'north'
select count(*) from people where region = 'Nort'
select count(*) from people where 'North' = region
select count(*) from people where region > 'North'
select count(*) from people where region != 'North'
select count(*) from people where region between 'E' and 'F'
select count(*) from people where left(region, 1) = 'E'
select count(*) from people where region[1] = 'E'
select count(*) from people where region[1:2] = 'E1'
select count(*) from people where len(region) = 4
select count(*) from people where region.lower() = 'e12n'
select count(*) from people where strlen(region) > 3
select count(*) from people where contains(region, 'E')
select count(*) from people where starts_with(region, 'E')
select count(*) from people where region collate nocase = 'e12n'
select count(*) from people where pay > 101.37
select count(*) from people where pay > 100 and pay < 100
select count(*) from people where pay between 100 and 200
select count(*) from people where pay::int = 100
select count(*) from people where round(pay) = 100
select count(*) from people where floor(pay / 100) = 3
select floor(pay/100)*100 b, count(*) from people group by 1
select floor(pay/7) b, count(*) from people group by 1
select pay b, count(*) from people group by 1
select pay > 500 b, count(*) from people group by 1
select pay > 501.5 b, count(*) from people group by 1
select pay is null b, count(*) from people group by 1
select width_bucket(pay, 0, 100, 10) b, count(*) from people group by 1
select count(*) from people where turnover > 5
select e.turnover > 5000 t, count(*) from people p join employers e using (employer_id) group by 1
select sum(e.turnover) from people p join employers e using (employer_id)
select count(e.turnover) from people p left join employers e using (employer_id)
select e.employer_id, count(*) from people p join employers e using (employer_id) group by 1
select count(e.employer_id), count(distinct e.employer_id) from people p left join employers e using (employer_id)
select g.region_name, e.size_band, count(*) from people p join employers e using (employer_id) join geography g on g.local_authority = e.seat group by 1, 2
select g.region_name, count(*) from geography g left join people p on p.area = g.local_authority group by 1
select g.region_name, count(*) from geography g join people p on p.area = g.local_authority group by 1
select g.region_name, count(*) from people p join geography g on p.region = g.region group by 1
select g.region_name, count(*) from people p, geography g where p.area = g.local_authority and g.region = 'E12N' group by 1
select * from geography
select count(*) from geography
select region, count(*) from geography group by region
select g.region, count(*), n from geography g join (select region, count(*) n from people group by 1) using (region) group by all
select g.*, n from geography g left join (select area, count(*) n from people group by 1) x on x.area = g.local_authority
with g as (select * from geography where region='E12N') select count(*) from people where area in (select local_authority from g)
with g as (select * from geography where region='E12N') select g.local_authority_name, count(*) from people p join g on g.local_authority = p.area group by 1
with p as (select * from people), q as (select * from p), r as (select region, sex from q) select region, count(*) from r group by 1
select sum(weight) from people group by region
select avg(weight) from people
select sum(weight * weight) from people
select sum(weight*pay), sum(weight*age), sum(2*weight) from people
select sum(pay*weight)/sum(weight) from people
select sum(case when sex='F' then weight else 0 end) from people
select median(weight*pay) from people
select count(weight) from people
select region, count(*), count(*), count(*) c, count(*) c from people group by region
select region, region, count(*) from people group by region
select region as count, count(*) as region from people group by people.region
select sex as region, count(*) from people group by region
select sex as region, count(*) from people where region = 'E12N' group by 1
select sex as s, count(*) from people where s = 'F' group by s
select age + 1 as age, count(*) from people group by age
select age as a, a + 1 as b, count(*) from people group by all
select count(*) as n, n + 1 as m from people
select count(*) as n, n / sum(pay) as m from people having n > 3 and m > 0 order by m
select count(*) as region, region from people group by 2
select count(*) from people as count
select count from (select count(*) as count from people)
select a.b.c.d from people
select people.nothing from people
select nothing.region from people
select nothing from people
select count(nothing) from people
select count(*) from people where nothing = 1
select count(*) from people group by nothing
select nothing(pay) from people
select count(*) from people where nothing(region) = 1
select sum(pay) from people order by nothing
select pg_sleep(1), count(*) from people
select count(*), getenv('HOME') from people
select count(*), current_setting('threads') from people
select version(), count(*) from people
select current_user, count(*) from people
select count(*) from duckdb_tables()
select count(*) from information_schema.tables
select count(*) from sqlite_master
select count(*) from pragma_version()
describe people
describe select count(*) from people
explain select count(*) from people
summarize people
show tables
copy people to 'x'
attach 'x' as y
create table x as select count(*) from people
insert into people select count(*) from people
update people set pay = 1
delete from people
set threads = 1
pragma version
call pragma_version()
load httpfs
drop table people
export database 'x'
checkpoint
begin; select count(*) from people; commit
select count(*) from people for update
select count(*) into x from people
select top 3 region, count(*) from people group by 1
select straight_join count(*) from people
select all count(*) from people
select count(*) from only people
select count(*) from people at (version => 1)
select count(*) as 'n' from people
select count(*) 'n' from people
select n: count(*) from people
select r: region, n: count(*) from people group by r
select count(*) from p: people
select region, count(*) from people group by region order by region collate nocase
select region, count(*) from people group by region order by random()
select region, count(*) from people group by region order by (select 1)
select region, count(*) from people group by region having (select count(*) from learners) > 3
select region, count(*) from people group by region having count(*) > (select avg(n) from (select region, count(*) n from people group by 1))
select region, count(*) from people group by region having region in (select region from geography)
select region in (select region from geography) x, count(*) from people group by region
select count(*) in (1, 2) from people
select count(*) in (select count(*) from learners) from people
select count(*) between 1 and 3 from people
select not count(*) from people
select -count(*), +count(*), ~count(*) from people
select count(*) is null from people
select count(*) & 1 from people
select count(*) << 1, count(*) ** 2, count(*) ^ 2 from people
select sum(pay)::varchar || '!' from people
select sum(pay) || region from people group by region
select array[count(*), sum(age)] from people
select map {'a': count(*)} from people
select map(['a'], [count(*)]) from people
select count(*)::bigint::varchar::int from people
select try_cast(region as int), count(*) from people group by region
select greatest(count(*), 3), least(count(*), 3) from people
select ifnull(sum(pay), 0), coalesce(sum(pay), 0, 1), nullif(count(*), 0) from people
select region, sum(pay) s, rank() over (order by s desc) from people group by region
select region, pct from (select region, 100*count(*)/sum(count(*)) over () pct from people group by region) where pct > 10
select * from (select region, count(*) n from people group by 1) a natural join (select seat region, count(*) m from employers group by 1) b
select * from (select region, count(*) n from people group by 1) a full join (select seat region, count(*) m from employers group by 1) b using (region)
select * from (select region, count(*) n from people group by 1) a asof join (select region, count(*) m from people group by 1) b on a.n >= b.m
select * from (select region, count(*) n from people group by 1) a positional join (select region, count(*) m from people group by 1) b
select * from (select region, count(*) n from people group by 1) a semi join (select seat region, count(*) m from employers group by 1) b using (region)
select * from (select region, count(*) n from people group by 1) a anti join (select seat region, count(*) m from employers group by 1) b using (region)
select a.* exclude (n) from (select region, count(*) n from people group by 1) a
select * replace (n*2 as n) from (select region, count(*) n from people group by 1) a
select * rename (n as m) from (select region, count(*) n from people group by 1) a
select columns(*) from (select region, count(*) n from people group by 1) a
select columns('n') from (select region, count(*) n from people group by 1) a
select max(columns(*)) from (select region, count(*) n from people group by 1) a
select list(n), string_agg(region, ',' order by n), arg_max(region, n), first(n), mode(n) from (select region, count(*) n from people group by 1)
select region, n, unnest([1,2]) from (select region, count(*) n from people group by 1)
select a.n from (select count(*) n from people) a, (select count(*) n from learners) b
select n from (select count(*) n from people) a, (select count(*) n from learners) b
select (select n from a) from (select count(*) n from people) a
with a as (select count(*) n from people) select (select n from a), (select n * 2 from a)
with a as (select region, count(*) n from people group by 1) select region from a where n = (select max(n) from a)
with a as (select region, count(*) n from people group by 1) select region from a where n > all (select n from a where region = 'E12N')
with a as (select region, count(*) n from people group by 1) select a.region from a where exists (select 1 from a b where b.n > a.n)
with a as (select region, count(*) n from people group by 1) select region, n from a order by n desc limit (select count(*) from a) 
with a as (select region, sex, count(*) n from people group by 1,2) select region, sum(n) filter (where sex='F') / sum(n) from a group by rollup(region)
with a as (select region, sex, count(*) n from people group by 1,2) select region, sum(n) from a group by grouping sets((region), ())
with a as (select region, sex, count(*) n from people group by 1,2) select region, sum(n), grouping(region) from a group by cube(region)
with a as (select region, count(*) n from people group by 1) from a
with a as (select region, count(*) n from people group by 1) select a from a
with a as (select region, count(*) n from people group by 1) select count(a) from a
with a as (select region, count(*) n from people group by 1) select count(*) from a
with a as (select region, count(*) n from people group by 1) select distinct n > 10 from a
with a as (select region, count(*) n from people group by 1) select n, count(*) from a group by n
with a as (select region, count(*) n from people group by 1) select * from a where region in ('North')
with a as (select region, count(*) n from people group by 1) select * from a where region like 'E%' order by all
with a as (select region, count(*) n from people group by 1) select sum(n) over (order by region groups between 1 preceding and current row) from a
with a as (select region, count(*) n from people group by 1) select quantile_cont(n, 0.5) over () from a
with a as (select region, count(*) n from people group by 1) select quantile_cont(n, [0.5]) from a
with a as (select region, count(*) n from people group by 1) select region, n from a union all select 'x', 1
with a as (select count(*) n from people), b as (select n from a union all select n+1 from a) select * from b
select 1
select 1 union all select count(*) from people
select x from (select 1 as x) union all select count(*) from people
select count(*), count(*) over () from people
select count(*) from people where count(*) > 1
select count(*) from people where sum(pay) > 1
select count(*) from people where row_number() over () = 1
select count(*) from people group by count(*)
select region, count(*) from people group by region, count(*)
select count(*) from people p where p.region = 'E12N' and region = 'E12N'
select count(*) from people p where people.region = 'E12N'
select count(*) from people where "pay" > 100 and 'pay' = 'pay'
select count(*) from people where 'a' = 'b'
select count(*) from people where 1 = 2 or sex = 'F'
select count(*) from people where sex = 'F' and (1/0) > 1
select count(*) from people where 'x'::int = 1
select region, count(*) from people where area in ('E0601','E0602','E0603') group by region
select case when area in ('E0601','E0602') then 'mine' else 'rest' end, count(*) from people group by 1
select area, count(*) from people where region = 'E12N' and area <> 'E0603' group by 1
select month, count(*) from learners where month between '2024-03' and '2025-03' group by 1
select age, count(*) from people where age between 20 and 25 group by 1
select working_age, count(*) from people join age on age.value = people.age group by 1
select a.age_band, count(*) from people p join age a on p.age = a.value group by 1
select skill, count(*) from people join occupation o on o.sub_major = people.occupation group by 1
select skill, count(*) from people left join occupation o on o.sub_major = people.occupation group by 1
select o.major_name, count(*) from people left join occupation o on o.sub_major = people.occupation group by rollup(1)
select o.nothing, count(*) from people left join occupation o on o.sub_major = people.occupation group by 1
select sub_major_name n, count(*) from people join occupation o on occupation = sub_major group by 1
select count(*) from people where '' = ''
select '' , count(*) from people
select '''', count(*) from people
select E'\n', count(*) from people
select $$abc$$, count(*) from people
select x'ab', count(*) from people
select 0x1F, 1_000, 1e3, .5, count(*) from people
select 99999999999999999999999999999999999999999, count(*) from people
select count(*) from people where age > 99999999999999999999999999999999999999999
select count(*) * 99999999999999999999 from people
select sum(pay) * 1e308 * 1e308 from people
select sum(pay*999999999999) from people
select sum(pay*1000000000000) * 1000000000000 from people
select sum(pay+999999999999) from people
select count(*) from people where pay > 1e308
select count(*) from people where pay = 'abc'
select count(*) from people where pay in (100, 200, 300)
select count(*) from people where hours in (10, 20)
select hours, count(*) from people group by 1
select hours, age, count(*) from people group by 1, 2
select pay, hours, age, area, occupation, count(*) from people group by all
select region, count(*) from people where region in ('E12N') group by region having count(*) > 1e9
select distinct sex from people where sex = 'F'
select distinct 1 from people
select distinct region, 1 from people
select distinct pay from people
select distinct person_id from people
select distinct on (region) region from people
select distinct upper(region) from people order by 1
select region from people group by region
select region from people group by region order by region limit 1
select region, sex from people group by cube(region, sex)
select from (select count(*) from people)
select * from (select count(*) from people) order by all limit 1
select "count_star()" from (select count(*) from people)
select "sum(pay)" from (select sum(pay) from people)
select count(*) from people limit 0
select count(*) from people offset 5
select count(*) from people order by 1
select count(*) from people order by region
SELECT DISTINCT 1, 1 FROM people GROUP BY region
select distinct upper(left(region,1)) from people group by region, sex
select distinct sex from people having count(*) > 1
SELECT SUM(CAST((sex = 'F') AS INT)) AS a, a + 1 AS b, COUNT(*) FROM people GROUP BY ALL
select region, count(*) n, n * 2 m, rank() over (order by n) r, r + 1 q from people group by all
select unnest([age, age + 1, age + 2]) u, count(*) from people group by 1
select unnest([hours, hours + 1, hours + 2]) u, count(*) from people group by 1
select sum(pay::decimal(9,0)) from people
select sum(pay::decimal(9,2)), sum(pay::decimal(12,4)), sum(pay::decimal), sum(hours::decimal(3,0)), sum(hours::int), sum(pay::double) from people
select sum((pay*0.5)::decimal(9,1)) from people
select sum((pay*0.5)::decimal(9,2)) from people
select sum(0.555::decimal(3,2)), sum(10/4), sum(10//4), sum(hours * (10//4)), sum(pay * 2^3), sum(hours + abs(-3)) from people
select sum(pay * 'nan'::double) from people
select sum(pay * null) from people
select sum('3') from people
select sum(pay + interval 1 day) from people
select sum(true::int) from people
select sum(pay*1e400) from people
select sum(pay/0), sum(pay % 3) from people
select sum(pay/0) from people
select avg(3), avg(null), sum(1) from people
select sum(case when sex='F' then null else 1 end) from people
select sum(case when sex='F' then null+1 else 1 end) from people
